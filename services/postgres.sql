-- One database and one role for each service, made once, when the volume is empty.
-- No service can open another one's: what it wants to know, it asks over HTTP.
-- The passwords are those of compose.yaml, where the database cannot be reached from outside.

CREATE ROLE users LOGIN PASSWORD 'users';
CREATE DATABASE users OWNER users;
REVOKE CONNECT ON DATABASE users FROM PUBLIC;

CREATE ROLE orders LOGIN PASSWORD 'orders';
CREATE DATABASE orders OWNER orders;
REVOKE CONNECT ON DATABASE orders FROM PUBLIC;

CREATE ROLE inventory LOGIN PASSWORD 'inventory';
CREATE DATABASE inventory OWNER inventory;
REVOKE CONNECT ON DATABASE inventory FROM PUBLIC;

CREATE ROLE payments LOGIN PASSWORD 'payments';
CREATE DATABASE payments OWNER payments;
REVOKE CONNECT ON DATABASE payments FROM PUBLIC;

CREATE ROLE recommendations LOGIN PASSWORD 'recommendations';
CREATE DATABASE recommendations OWNER recommendations;
REVOKE CONNECT ON DATABASE recommendations FROM PUBLIC;
