-- A copy for tests must not act in the name of the database that it was made from.
DELETE FROM ir_config_parameter WHERE key = 'orest.credential';
