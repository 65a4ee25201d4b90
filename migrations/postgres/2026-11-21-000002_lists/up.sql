-- What lists of authorizations filter, group and count by, so that the rows themselves, four times as wide, needn't be read.
CREATE INDEX orest_authorization_list_idx ON orest_authorization
    (active, create_date DESC, id DESC, user_id, application_id, device_id, revoked_at, expires_at);
