//! The workflows of a company under torture: between them every kind of thing
//! that a host could lose or do twice.

/// The workflows, by file name.
pub(crate) const WORKFLOWS: [(&str, &str); 3] = [
    (
        "torture-visit.yaml",
        "workflow: torture-visit
title: Started by another workflow
inputs:
  number: text
  late: { type: text, optional: true }
steps:
  - wait: 1 second
  - do: crm.create
    object: task
    set: { title: \"Visit {{ number }}\", assignee: queue/unassigned }
    as: made
outputs:
  task: =made.record
",
    ),
    (
        "torture-lead.yaml",
        "workflow: torture-lead
title: Everything that a lead can bring about
when:
  - created: lead
steps:
  - if: lead.country in [\"DE\", \"AT\"]
    then:
      - do: crm.update
        record: =lead
        set: { owner: queue/unassigned, status: assigned }
    else:
      - do: crm.update
        record: =lead
        set: { owner: queue/unassigned }
  - do: mail.send
    to: =lead
    template: welcome
  - do: task.create
    record: =lead
    assignee: queue/unassigned
    title: \"Follow up {{ lead.name }}\"
    due_in: 1 hour
  - parallel:
      - steps:
          - wait_for: { changed: lead.status, to: in_process }
            up_to: 2 seconds
          - do: task.create
            record: =lead
            assignee: queue/unassigned
            title: \"Remind {{ lead.name }}\"
            due_in: 1 hour
      - steps:
          - run: torture-visit
            with: { number: =lead.name }
  - for_each: '=[\"a\", \"b\", \"c\"]'
    as: part
    steps:
      - do: crm.create
        object: task
        set: { title: \"Part {{ part }} of {{ lead.name }}\", assignee: queue/unassigned }
",
    ),
    (
        "torture-order.yaml",
        "workflow: torture-order
title: Started by another program
when:
  - webhook: torture-orders
    unsigned: true
inputs:
  number: text
steps:
  - do: crm.create
    object: task
    set: { title: \"Order {{ number }}\", assignee: queue/unassigned }
  - wait: 1 second
  - do: crm.create
    object: task
    set: { title: \"Packed {{ number }}\", assignee: queue/unassigned }
",
    ),
];

/// The tasks that a lead leads to, by title.
pub(crate) fn tasks_of_lead(name: &str) -> Vec<String> {
    let mut tasks: Vec<String> =
        ["Follow up", "Remind", "Visit"].iter().map(|what| format!("{what} {name}")).collect();
    tasks.extend(["a", "b", "c"].iter().map(|part| format!("Part {part} of {name}")));
    tasks
}

/// The tasks that an order leads to, by title.
pub(crate) fn tasks_of_order(number: &str) -> [String; 2] {
    [format!("Order {number}"), format!("Packed {number}")]
}
