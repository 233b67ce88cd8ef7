//! Small guests written as WebAssembly text, turned into components by the
//! same encoder that real plugins are built with.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A guest with one action, `act`.
pub struct Guest {
    imports: String,
    body: String,
    describe: String,
    functions: String,
    input_schema: String,
    output_schema: String,
    id: String,
    title: String,
    memory_pages: u32,
    world: String,
    realloc: String,
}

/// What the guests of the tests have at hand, beside the contract's exports.
///
/// `$done` and `$fail` write the answer at 512. Addresses below 64 KiB are the
/// guest's own, `cabi_realloc` gives out what lies above.
const FUNCTIONS: &str = r#"
  (global $heap (mut i32) (i32.const 65536))
  (func $alloc (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.shl (memory.size) (i32.const 16)))
      (then
        (if (i32.eq (i32.const -1)
              (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))
          (then unreachable))))
    (local.get $at))
  (func $done (param $ptr i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store8 (i32.const 516) (i32.const 0))
    (i32.store (i32.const 520) (local.get $ptr))
    (i32.store (i32.const 524) (local.get $len))
    (i32.const 512))
  (func $fail (param $code i32) (param $ptr i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 1))
    (i32.store8 (i32.const 516) (local.get $code))
    (i32.store (i32.const 520) (local.get $ptr))
    (i32.store (i32.const 524) (local.get $len))
    (i32.store8 (i32.const 528) (i32.const 0))
    (i32.store8 (i32.const 536) (i32.const 0))
    (i32.const 512))
"#;

impl Guest {
    /// A guest whose action runs `body`, the text of a function that may use
    /// `$input` and `$input_len` and answers through `$done` or `$fail`.
    pub fn new(body: &str) -> Self {
        Self {
            imports: String::new(),
            body: body.to_owned(),
            describe: "(i32.const 256)".to_owned(),
            functions: String::new(),
            input_schema: "{}".to_owned(),
            output_schema: "{}".to_owned(),
            id: "act".to_owned(),
            title: "Act".to_owned(),
            memory_pages: 2,
            world: "plugin".to_owned(),
            realloc: "(call $alloc (local.get 3))".to_owned(),
        }
    }

    /// Adds an import of the contract: `log`, `emit`, `(param i32)`; the
    /// function is `$log_emit`.
    pub fn import(mut self, interface: &str, function: &str, kind: &str) -> Self {
        let name = format!("{interface}_{}", function.replace('-', "_"));
        self.imports.push_str(&format!(
            "(import \"relata:plugin/{interface}@0.1.0\" \"{function}\" (func ${name} {kind}))\n"
        ));
        self
    }

    /// Adds an import of another module than the contract's.
    pub fn with_import(mut self, module: &str, name: &str, function: &str, kind: &str) -> Self {
        self.imports
            .push_str(&format!("(import \"{module}\" \"{name}\" (func {function} {kind}))\n"));
        self
    }

    /// Adds functions and data.
    pub fn with(mut self, functions: &str) -> Self {
        self.functions.push_str(functions);
        self
    }

    /// Another body of `describe`.
    pub fn describe(mut self, body: &str) -> Self {
        self.describe = body.to_owned();
        self
    }

    /// The schema of the input.
    pub fn input_schema(mut self, schema: &str) -> Self {
        self.input_schema = schema.to_owned();
        self
    }

    /// The schema of the output.
    pub fn output_schema(mut self, schema: &str) -> Self {
        self.output_schema = schema.to_owned();
        self
    }

    /// Another name for the action.
    pub fn id(mut self, id: &str) -> Self {
        self.id = id.to_owned();
        self
    }

    /// Another title for it.
    pub fn title(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        self
    }

    /// Memory it has from the beginning, in pages of 64 KiB.
    pub fn memory_pages(mut self, pages: u32) -> Self {
        self.memory_pages = pages;
        self
    }

    /// A world that includes the contract's and has more in it, as the text of
    /// a package.
    pub fn world(mut self, text: &str) -> Self {
        self.world = text.to_owned();
        self
    }

    /// Where it puts what the host hands over, as the body of `cabi_realloc`.
    pub fn realloc(mut self, body: &str) -> Self {
        self.realloc = body.to_owned();
        self
    }

    /// A text at an address below 64 KiB and above 8 KiB, where nothing else is.
    pub fn text_at(self, address: u32, text: &str) -> Self {
        self.bytes_at(address, text.as_bytes())
    }

    /// Bytes at such an address.
    pub fn bytes_at(self, address: u32, bytes: &[u8]) -> Self {
        let data = format!("(data (i32.const {address}) \"{}\")", escaped(bytes));
        self.with(&data)
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        let core = wat::parse_str(self.text()).expect("the guest's text is right");
        component(core, &self.world)
    }

    fn text(&self) -> String {
        // The descriptor at 1024, its texts from 2048.
        let mut texts: Vec<u8> = Vec::new();
        let mut words: Vec<u32> = Vec::new();
        for text in
            [self.id.as_str(), &self.title, "Acts.", &self.input_schema, &self.output_schema]
        {
            words.push(2048 + texts.len() as u32);
            words.push(text.len() as u32);
            texts.extend(text.as_bytes());
        }
        // reads, writes, correlation: empty; exclusive: none; not idempotent.
        words.extend([0; 10]);
        let descriptor: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let list: Vec<u8> = [1024_u32, 1].iter().flat_map(|word| word.to_le_bytes()).collect();
        format!(
            r#"(module
  {imports}
  (memory (export "memory") {pages})
  {FUNCTIONS}
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
  {functions}
  (func (export "relata:plugin/actions@0.1.0#describe") (result i32) {describe})
  (func (export "relata:plugin/actions@0.1.0#run")
    (param $run i32) (param $run_len i32) (param $step i32) (param $step_len i32)
    (param $attempt i32) (param $key i32) (param $key_len i32)
    (param $has_subject i32) (param $subject i32) (param $subject_len i32)
    (param $dry i32) (param $action i32) (param $action_len i32)
    (param $input i32) (param $input_len i32) (result i32)
    {body})
  (data (i32.const 256) "{list}")
  (data (i32.const 1024) "{descriptor}")
  (data (i32.const 2048) "{texts}")
)"#,
            imports = self.imports,
            pages = self.memory_pages,
            functions = self.functions,
            realloc = self.realloc,
            describe = self.describe,
            body = self.body,
            list = escaped(&list),
            descriptor = escaped(&descriptor),
            texts = escaped(&texts),
        )
    }
}

/// A core module made a component of a world of the contract, or of a world
/// given in full.
pub fn component(mut core: Vec<u8>, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (contract, _) = resolve
        .push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/0.1.0"))
        .expect("the contract is readable");
    let package = if world.starts_with("package") {
        resolve.push_str("foreign.wit", world).expect("the world is right")
    } else {
        contract
    };
    let name = (!world.starts_with("package")).then_some(world);
    let world = resolve.select_world(&[package], name).expect("the world is there");
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8, false)
        .expect("the world can be embedded");
    ComponentEncoder::default()
        .validate(true)
        .module(&core)
        .and_then(|encoder| encoder.encode())
        .expect("the guest fits its world")
}

/// Bytes as a text of WebAssembly.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A function of the contract, as a guest calls it.
#[derive(Clone, Copy)]
pub struct HostFunction {
    interface: &'static str,
    name: &'static str,
    /// Its core parameters, the place for its result the last.
    kind: &'static str,
    /// How far behind the beginning of its result an error lies.
    error_at: u32,
}

const fn function(
    interface: &'static str,
    name: &'static str,
    kind: &'static str,
    error_at: u32,
) -> HostFunction {
    HostFunction { interface, name, kind, error_at }
}

pub const GET: HostFunction = function("records", "get", "(param i32 i32 i32)", 8);
pub const QUERY: HostFunction =
    function("records", "query", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)", 4);
pub const COUNT: HostFunction = function("records", "count", "(param i32 i32 i32 i32 i32)", 8);
pub const COUNT_BY: HostFunction =
    function("records", "count-by", "(param i32 i32 i32 i32 i32 i32 i32)", 4);
pub const IS_OPEN: HostFunction = function("records", "is-open", "(param i32 i32 i64 i32)", 4);
pub const CREATE: HostFunction = function("records", "create", "(param i32 i32 i32 i32 i32)", 8);
pub const UPDATE: HostFunction =
    function("records", "update", "(param i32 i32 i32 i32 i32 i64 i32)", 8);
pub const DELETE: HostFunction = function("records", "delete", "(param i32 i32 i32 i64 i32)", 4);
pub const MAIL: HostFunction =
    function("messages", "send-mail", "(param i32 i32 i32 i32 i32 i32 i32)", 4);
pub const EMIT: HostFunction = function("events", "emit", "(param i32 i32 i32 i32 i32 i32 i32)", 4);
pub const STATE_GET: HostFunction = function("state", "get", "(param i32 i32 i32)", 8);
pub const STATE_PUT: HostFunction =
    function("state", "put", "(param i32 i32 i32 i32 i32 i64 i32 i64 i32)", 8);
pub const SEND: HostFunction =
    function("http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)", 4);
pub const PLACEHOLDER: HostFunction = function("secrets", "placeholder", "(param i32 i32 i32)", 4);

impl HostFunction {
    fn call(&self, arguments: &str) -> String {
        let Self { interface, name, .. } = self;
        format!("(call ${interface}_{} {arguments} (i32.const 600))", name.replace('-', "_"))
    }

    /// Calls it once, and answers `true` or passes its error on. Arguments are
    /// instructions; the place for the result is added.
    pub fn once(self, arguments: &str) -> Guest {
        let call = self.call(arguments);
        let [code, message, length] = [0, 4, 8].map(|at| 600 + self.error_at + at);
        Guest::new(&format!(
            r#"{call}
            (if (result i32) (i32.load8_u (i32.const 600))
              (then (call $fail (i32.load8_u (i32.const {code}))
                      (i32.load (i32.const {message})) (i32.load (i32.const {length}))))
              (else (call $done (i32.const 8184) (i32.const 4))))"#
        ))
        .import(self.interface, self.name, self.kind)
        .text_at(8184, "true")
    }

    /// Calls it without end, whatever comes back.
    pub fn storm(self, arguments: &str) -> Guest {
        storm(&self.call(arguments)).import(self.interface, self.name, self.kind)
    }
}

/// Does the same without end, with memory as it was each time.
pub fn storm(body: &str) -> Guest {
    Guest::new(&format!(
        r#"(local $heap i32)
        (local.set $heap (global.get $heap))
        (loop $again
          (global.set $heap (local.get $heap))
          {body}
          (br $again))
        unreachable"#
    ))
}

/// Answers its input.
pub fn echo() -> Guest {
    Guest::new("(call $done (local.get $input) (local.get $input_len))")
}

/// Never ends.
pub fn endless() -> Guest {
    Guest::new("(loop $again (br $again)) unreachable")
}

/// Answers a text.
pub fn says(text: &str) -> Guest {
    Guest::new(&format!("(call $done (i32.const 8192) (i32.const {}))", text.len()))
        .with(&format!("(data (i32.const 8192) \"{}\")", escaped(text.as_bytes())))
}

/// Answers so many bytes of spaces and a `1`.
pub fn long_answer(bytes: u32) -> Guest {
    Guest::new(&format!(
        r#"(local $at i32)
        (local.set $at (call $alloc (i32.const {bytes})))
        (memory.fill (local.get $at) (i32.const 32) (i32.const {bytes}))
        (i32.store8 (local.get $at) (i32.const 49))
        (call $done (local.get $at) (i32.const {bytes}))"#
    ))
}

/// Reads `lead/1` and answers its fields, or passes the error on.
pub fn reads_a_lead() -> Guest {
    Guest::new(
        r#"(call $records_get (i32.const 8192) (i32.const 6) (i32.const 600))
        (if (result i32) (i32.load8_u (i32.const 600))
          (then (call $fail (i32.load8_u (i32.const 608))
                  (i32.load (i32.const 612)) (i32.load (i32.const 616))))
          (else (call $done (i32.load (i32.const 632)) (i32.load (i32.const 636)))))"#,
    )
    .import("records", "get", "(param i32 i32 i32)")
    .with(r#"(data (i32.const 8192) "lead/1")"#)
}

/// Sends `POST URL` with the input as its body and, if it names one, a secret
/// in the header `authorization`; answers the body, or passes the error on.
pub fn posts(url: &str, secret: Option<&str>) -> Guest {
    let placeholder = match secret {
        None => String::new(),
        Some(name) => format!(
            r#"(call $secrets_placeholder (i32.const 9216) (i32.const {}) (i32.const 640))
            (if (i32.load8_u (i32.const 640))
              (then (return (call $fail (i32.load8_u (i32.const 644))
                  (i32.load (i32.const 648)) (i32.load (i32.const 652))))))
            (i32.store (i32.const 9608) (i32.load (i32.const 644)))
            (i32.store (i32.const 9612) (i32.load (i32.const 648)))"#,
            name.len()
        ),
    };
    let guest = Guest::new(&format!(
        r#"{placeholder}
        (call $http_send (i32.const 2)
          (i32.const 8192) (i32.const {url_len})
          (i32.const 9600) (i32.const {headers})
          (local.get $input) (local.get $input_len)
          (i32.const 0) (i32.const 0) (i32.const 600))
        (if (result i32) (i32.load8_u (i32.const 600))
          (then (call $fail (i32.load8_u (i32.const 604))
                  (i32.load (i32.const 608)) (i32.load (i32.const 612))))
          (else (call $done (i32.load (i32.const 616)) (i32.load (i32.const 620)))))"#,
        url_len = url.len(),
        headers = u32::from(secret.is_some()),
    ))
    .import("http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)");
    let guest = match secret {
        None => guest,
        Some(_) => guest.import("secrets", "placeholder", "(param i32 i32 i32)"),
    };
    let header: Vec<u8> = [9500_u32, 13, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    guest.with(&format!(
        "(data (i32.const 8192) \"{}\") (data (i32.const 9216) \"{}\") (data (i32.const 9500) \"authorization\") (data (i32.const 9600) \"{}\")",
        escaped(url.as_bytes()),
        secret.unwrap_or_default(),
        escaped(&header),
    ))
}

/// Sets fields of `lead/1` to the input and answers what it sees then.
pub fn updates_a_lead() -> Guest {
    Guest::new(
        r#"(call $records_update (i32.const 8192) (i32.const 6)
          (local.get $input) (local.get $input_len)
          (i32.const 0) (i64.const 0) (i32.const 600))
        (if (result i32) (i32.load8_u (i32.const 600))
          (then (call $fail (i32.load8_u (i32.const 608))
                  (i32.load (i32.const 612)) (i32.load (i32.const 616))))
          (else (call $done (i32.load (i32.const 632)) (i32.load (i32.const 636)))))"#,
    )
    .import("records", "update", "(param i32 i32 i32 i32 i32 i64 i32)")
    .with(r#"(data (i32.const 8192) "lead/1")"#)
}
