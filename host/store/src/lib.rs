//! Everything SQL: records, events, runs, outbox, schedules.
