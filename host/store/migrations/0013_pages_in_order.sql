-- Pages of lists are read in the order of an index (table.rs makes those of the
-- objects). Runs that went wrong are few among many that did not.
CREATE INDEX relata_run_unhappy ON relata_run (outcome, id) WHERE outcome = 'failed' OR outcome = 'cancelled';

-- Longer ones replace these.
DROP INDEX IF EXISTS ticket_by_owner_status;
DROP INDEX IF EXISTS task_by_assignee_status;
