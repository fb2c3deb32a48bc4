-- Run by the Postgres image once, when its volume is empty. Each program has a role of its own, which owns its databases
-- and may not look into the others'. The passwords come from files, so they stand neither here nor in the environment.
\set notifications_password `cat /run/secrets/notifications_db_password`
\set temporal_password `cat /run/secrets/temporal_db_password`

CREATE ROLE notifications LOGIN PASSWORD :'notifications_password';
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';

CREATE DATABASE notifications OWNER notifications;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;

REVOKE CONNECT ON DATABASE notifications, temporal, temporal_visibility FROM PUBLIC;
