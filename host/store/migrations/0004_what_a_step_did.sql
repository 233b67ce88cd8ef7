-- Which action an entry answers, and the digest of the plugin that answered:
-- so that a backtest knows what it may take for the answer to the same call.
ALTER TABLE relata_step_log ADD COLUMN action TEXT;
ALTER TABLE relata_step_log ADD COLUMN plugin TEXT;

-- The entry of the run's log whose call wrote it.
ALTER TABLE relata_event ADD COLUMN run_entry BIGINT;
