CREATE TABLE headgate_artifact (
  id VARCHAR(36) NOT NULL,
  owner VARCHAR(20) NOT NULL,
  name VARCHAR(100),
  system VARCHAR(64),
  last_number INTEGER NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (owner, name)
);

CREATE TABLE headgate_artifact_reader (
  artifact_id VARCHAR(36) NOT NULL,
  user VARCHAR(20) NOT NULL,
  PRIMARY KEY (artifact_id, user)
);

CREATE TABLE headgate_artifact_use (
  short_id VARCHAR(64) NOT NULL,
  artifact_id VARCHAR(36) NOT NULL,
  number INTEGER NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (short_id, artifact_id, number)
);

CREATE INDEX headgate_artifact_use_of ON headgate_artifact_use (artifact_id, number);

CREATE TABLE headgate_artifact_version (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  artifact_id VARCHAR(36) NOT NULL,
  number INTEGER NOT NULL,
  path VARCHAR(100) NOT NULL,
  sha256 VARCHAR(64) NOT NULL,
  size BIGINT NOT NULL,
  file_name VARCHAR(255) NOT NULL,
  jar TEXT,
  created_at DATETIME NOT NULL,
  UNIQUE (artifact_id, number),
  UNIQUE (path)
);

CREATE TABLE headgate_engine (
  engine_id VARCHAR(32) NOT NULL,
  node VARCHAR(250) NOT NULL,
  user VARCHAR(20) NOT NULL,
  creator VARCHAR(20) NOT NULL,
  labels TEXT NOT NULL,
  cores FLOAT NOT NULL,
  memory INTEGER NOT NULL,
  status VARCHAR(20) NOT NULL,
  wanted VARCHAR(10) NOT NULL,
  asked_at DATETIME,
  job_id INTEGER,
  attempt INTEGER,
  why TEXT NOT NULL,
  created_at DATETIME NOT NULL,
  idle_since DATETIME,
  ended_at DATETIME,
  traceparent VARCHAR(55),
  PRIMARY KEY (engine_id)
);

CREATE INDEX idx_headgate_engine_status ON headgate_engine (status);

CREATE TABLE headgate_engine_request (
  job_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  instance VARCHAR(250) NOT NULL,
  user VARCHAR(20) NOT NULL,
  creator VARCHAR(20) NOT NULL,
  labels TEXT NOT NULL,
  state VARCHAR(20) NOT NULL,
  engine_id VARCHAR(32),
  why TEXT NOT NULL,
  created_at DATETIME NOT NULL,
  changed_at DATETIME NOT NULL,
  traceparent VARCHAR(55),
  PRIMARY KEY (job_id, attempt)
);

CREATE INDEX idx_headgate_engine_request_state ON headgate_engine_request (state);

CREATE INDEX ix_headgate_engine_request_instance ON headgate_engine_request (instance);

CREATE TABLE headgate_instance (
  name VARCHAR(250) NOT NULL,
  incarnation VARCHAR(32) NOT NULL,
  renewed_at DATETIME NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE headgate_job_event (
  id INTEGER NOT NULL,
  job_id INTEGER NOT NULL,
  at DATETIME NOT NULL,
  from_status VARCHAR(50) NOT NULL,
  to_status VARCHAR(50) NOT NULL,
  "by" VARCHAR(50) NOT NULL,
  why VARCHAR(1000) NOT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX ix_headgate_job_event_job_id ON headgate_job_event (job_id);

CREATE TABLE headgate_job_files (
  job_id INTEGER NOT NULL,
  ended_at DATETIME NOT NULL,
  bytes INTEGER,
  state VARCHAR(10) NOT NULL,
  removed_at DATETIME,
  why VARCHAR(200) NOT NULL,
  PRIMARY KEY (job_id)
);

CREATE INDEX idx_headgate_job_files_state ON headgate_job_files (state, ended_at);

CREATE TABLE headgate_job_live (
  job_id INTEGER NOT NULL,
  short_id VARCHAR(64) NOT NULL,
  instance VARCHAR(250) NOT NULL,
  epoch INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  wanted VARCHAR(10) NOT NULL,
  wanted_by VARCHAR(50) NOT NULL,
  request TEXT NOT NULL,
  events_seen INTEGER NOT NULL,
  engine_id VARCHAR(32) NOT NULL,
  node VARCHAR(250) NOT NULL,
  ecm_address VARCHAR(250) NOT NULL,
  user VARCHAR(20) NOT NULL,
  creator VARCHAR(20) NOT NULL,
  PRIMARY KEY (job_id)
);

CREATE INDEX idx_headgate_job_live_waiting ON headgate_job_live (user, creator, engine_id);

CREATE INDEX ix_headgate_job_live_instance ON headgate_job_live (instance);

CREATE TABLE headgate_job_savepoint (
  id INTEGER NOT NULL,
  job_id INTEGER NOT NULL,
  statement INTEGER NOT NULL,
  kind VARCHAR(20) NOT NULL,
  path VARCHAR(1000) NOT NULL,
  made_at DATETIME NOT NULL,
  ecm_address VARCHAR(250) NOT NULL,
  resumed_by INTEGER,
  disposed_at DATETIME,
  PRIMARY KEY (id)
);

CREATE INDEX ix_headgate_job_savepoint_job_id ON headgate_job_savepoint (job_id);

CREATE TABLE headgate_node (
  name VARCHAR(250) NOT NULL,
  incarnation VARCHAR(32) NOT NULL,
  ecm_address VARCHAR(250) NOT NULL,
  cores FLOAT NOT NULL,
  memory INTEGER NOT NULL,
  status VARCHAR(20) NOT NULL,
  heartbeat_at DATETIME NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE headgate_session (
  ticket_hash VARCHAR(64) NOT NULL,
  user VARCHAR(20) NOT NULL,
  expires_at DATETIME NOT NULL,
  PRIMARY KEY (ticket_hash)
);

CREATE TABLE headgate_submit_key (
  user VARCHAR(20) NOT NULL,
  key_hash VARCHAR(64) NOT NULL,
  body_hash VARCHAR(64) NOT NULL,
  short_id VARCHAR(64) NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (user, key_hash)
);

CREATE TABLE headgate_token (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  token_hash VARCHAR(64) NOT NULL,
  owner VARCHAR(20) NOT NULL,
  legal_users TEXT NOT NULL,
  expires_at DATETIME,
  UNIQUE (token_hash)
);

CREATE TABLE headgate_user (
  name VARCHAR(20) NOT NULL,
  password_hash VARCHAR(200) NOT NULL,
  is_admin BOOLEAN NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE linkis_ps_common_lock (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  lock_object VARCHAR(255),
  locker VARCHAR(255),
  time_out TEXT,
  update_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  create_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT uniq_lock_object UNIQUE (lock_object)
);

CREATE TABLE linkis_ps_job_history_detail (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  job_history_id INTEGER NOT NULL,
  result_location VARCHAR(500),
  execution_content TEXT,
  result_array_size INTEGER DEFAULT '0',
  job_group_info TEXT,
  created_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  updated_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  status VARCHAR(32),
  priority INTEGER DEFAULT '0'
);

CREATE INDEX idx_job_history_id ON linkis_ps_job_history_detail (job_history_id);

CREATE TABLE linkis_ps_job_history_group_history (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  job_req_id VARCHAR(64),
  submit_user VARCHAR(50),
  execute_user VARCHAR(50),
  source TEXT,
  labels TEXT,
  params TEXT,
  progress VARCHAR(32),
  status VARCHAR(50),
  log_path VARCHAR(200),
  error_code INTEGER,
  error_desc VARCHAR(1000),
  created_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  updated_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  instances VARCHAR(250),
  metrics TEXT,
  engine_type VARCHAR(32),
  execution_code TEXT,
  result_location VARCHAR(500),
  observe_info VARCHAR(500),
  CONSTRAINT uniq_job_req_id UNIQUE (job_req_id)
);

CREATE INDEX idx_created_time ON linkis_ps_job_history_group_history (created_time);

CREATE INDEX idx_submit_user ON linkis_ps_job_history_group_history (submit_user);
