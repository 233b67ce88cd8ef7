-- Runs that are due are claimed workflow by workflow, each its share.
DROP INDEX relata_run_due;
CREATE INDEX relata_run_due ON relata_run (priority, workflow, due_at) WHERE due_at IS NOT NULL;

-- Many runs are about no record.
DROP INDEX relata_run_by_subject;
CREATE INDEX relata_run_by_subject ON relata_run (subject, id) WHERE subject IS NOT NULL;
