-- Up to which change a client has been told everything, so that it can be told the rest when it comes back.
CREATE TABLE resume_points (
    client_id TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    number    INTEGER NOT NULL,
    is_open   INTEGER NOT NULL,  -- 1: it is connected, or was when the server died
    at        INTEGER NOT NULL,
    PRIMARY KEY (client_id, user_id)
) WITHOUT ROWID;

CREATE INDEX resume_points_by_age ON resume_points (at) WHERE is_open = 0;
