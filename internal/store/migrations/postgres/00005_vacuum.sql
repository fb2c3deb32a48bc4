-- +goose Up

-- Autovacuum waits, by default, until a fifth of a table is dead: of a history of millions, weeks of deletions. The parts
-- of a table that are busy are small, so these are vacuumed after a fiftieth, and after a twentieth of new rows (which
-- marks pages all-visible and frozen while they are still in memory). No fillfactor: every update on an event's way
-- changes a column that some index looks at, so space on the row's own page saves no index entry (of 180,000 updates
-- measured none was heap-only, with 100, 85 and 60), and no time either.
ALTER TABLE notify_events SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE notify_deliveries SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE notify_attempts SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05
);

-- +goose Down
ALTER TABLE notify_attempts RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE notify_deliveries RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE notify_events RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor);
