CREATE TABLE headgate_artifact (
  id VARCHAR(36) NOT NULL,
  owner VARCHAR(20) NOT NULL,
  name VARCHAR(100) COLLATE utf8mb4_bin COMMENT 'null: only its id names it',
  `system` VARCHAR(64) COMMENT 'as the uploader said',
  last_number INTEGER NOT NULL COMMENT 'of the newest version there ever was',
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (owner, name)
);

CREATE TABLE headgate_artifact_reader (
  artifact_id VARCHAR(36) NOT NULL,
  user VARCHAR(20) NOT NULL COMMENT '* is everybody',
  PRIMARY KEY (artifact_id, user)
);

CREATE TABLE headgate_artifact_use (
  short_id VARCHAR(64) NOT NULL COMMENT 'of the job; while it has not ended',
  artifact_id VARCHAR(36) NOT NULL,
  number INTEGER NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (short_id, artifact_id, number)
);

CREATE INDEX headgate_artifact_use_of ON headgate_artifact_use (artifact_id, number);

CREATE TABLE headgate_artifact_version (
  id INTEGER NOT NULL AUTO_INCREMENT,
  artifact_id VARCHAR(36) NOT NULL,
  number INTEGER NOT NULL COMMENT '1 is v000001',
  path VARCHAR(100) NOT NULL COMMENT 'under the storage root',
  sha256 VARCHAR(64) NOT NULL,
  size BIGINT NOT NULL COMMENT 'bytes',
  file_name VARCHAR(255) NOT NULL COMMENT 'as it was uploaded',
  jar TEXT COMMENT 'JSON: what a jar says of itself; null: it is none',
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (artifact_id, number),
  UNIQUE (path)
)COMMENT='a version never changes';

CREATE TABLE headgate_engine (
  engine_id VARCHAR(32) NOT NULL,
  node VARCHAR(250) NOT NULL,
  user VARCHAR(20) NOT NULL,
  creator VARCHAR(20) NOT NULL,
  labels TEXT NOT NULL COMMENT 'JSON, keys sorted: equal texts mean an interchangeable engine',
  cores FLOAT NOT NULL,
  memory BIGINT NOT NULL,
  status VARCHAR(20) NOT NULL COMMENT 'Starting, Ready, Ended',
  wanted VARCHAR(10) NOT NULL COMMENT 'alive or stopped',
  asked_at DATETIME(3) COMMENT 'when the node has accepted to start it',
  job_id BIGINT COMMENT 'the job that holds it',
  attempt INTEGER,
  why TEXT NOT NULL COMMENT 'how far the start is, or why it ended',
  created_at DATETIME(3) NOT NULL,
  idle_since DATETIME(3),
  ended_at DATETIME(3),
  traceparent VARCHAR(55) COMMENT 'the step of a trace that it is started for',
  PRIMARY KEY (engine_id)
)COMMENT='engines: wanted, starting, ready, ended';

CREATE INDEX idx_headgate_engine_status ON headgate_engine (status);

CREATE TABLE headgate_engine_request (
  job_id BIGINT NOT NULL,
  attempt INTEGER NOT NULL,
  instance VARCHAR(250) NOT NULL,
  user VARCHAR(20) NOT NULL,
  creator VARCHAR(20) NOT NULL,
  labels TEXT NOT NULL,
  state VARCHAR(20) NOT NULL COMMENT 'WAITING, GRANTED, RELEASED',
  engine_id VARCHAR(32) COMMENT 'the one engine this attempt ever has',
  why TEXT NOT NULL,
  created_at DATETIME(3) NOT NULL,
  changed_at DATETIME(3) NOT NULL,
  traceparent VARCHAR(55) COMMENT 'the step of a trace that asked',
  PRIMARY KEY (job_id, attempt)
)COMMENT='the one queue: who waits for an engine, who holds one';

CREATE INDEX idx_headgate_engine_request_state ON headgate_engine_request (state);

CREATE INDEX ix_headgate_engine_request_instance ON headgate_engine_request (instance);

CREATE TABLE headgate_instance (
  name VARCHAR(250) NOT NULL,
  incarnation VARCHAR(32) NOT NULL,
  renewed_at DATETIME(3) NOT NULL,
  PRIMARY KEY (name)
)COMMENT='entrance instances and their leases';

CREATE TABLE headgate_job_event (
  id BIGINT NOT NULL AUTO_INCREMENT,
  job_id BIGINT NOT NULL,
  at DATETIME(3) NOT NULL,
  from_status VARCHAR(50) NOT NULL,
  to_status VARCHAR(50) NOT NULL,
  `by` VARCHAR(50) NOT NULL,
  why VARCHAR(1000) NOT NULL,
  PRIMARY KEY (id)
)COMMENT='a job''s story: its transitions, and what happened between them';

CREATE INDEX ix_headgate_job_event_job_id ON headgate_job_event (job_id);

CREATE TABLE headgate_job_files (
  job_id BIGINT NOT NULL,
  ended_at DATETIME(3) NOT NULL,
  bytes BIGINT COMMENT 'null: not measured',
  state VARCHAR(10) NOT NULL COMMENT 'kept, removing or removed',
  removed_at DATETIME(3) COMMENT 'when it became removing: from then on nobody begins to read them',
  why VARCHAR(200) NOT NULL COMMENT 'what who asks for them is told',
  PRIMARY KEY (job_id)
)COMMENT='one row for each ended job: are its log and results still there';

CREATE INDEX idx_headgate_job_files_state ON headgate_job_files (state, ended_at);

CREATE TABLE headgate_job_live (
  job_id BIGINT NOT NULL,
  short_id VARCHAR(64) NOT NULL,
  instance VARCHAR(250) NOT NULL,
  epoch INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  wanted VARCHAR(10) NOT NULL COMMENT 'run, cancel or timeout',
  wanted_by VARCHAR(50) NOT NULL,
  request MEDIUMTEXT NOT NULL COMMENT 'all that running the job needs, its secrets too (JSON)',
  events_seen INTEGER NOT NULL,
  engine_id VARCHAR(32) NOT NULL,
  node VARCHAR(250) NOT NULL,
  ecm_address VARCHAR(250) NOT NULL,
  user VARCHAR(20) NOT NULL,
  creator VARCHAR(20) NOT NULL,
  PRIMARY KEY (job_id)
)COMMENT='one row for each job that has not ended';

CREATE INDEX idx_headgate_job_live_waiting ON headgate_job_live (user, creator, engine_id);

CREATE INDEX ix_headgate_job_live_instance ON headgate_job_live (instance);

CREATE TABLE headgate_job_savepoint (
  id BIGINT NOT NULL AUTO_INCREMENT,
  job_id BIGINT NOT NULL,
  statement INTEGER NOT NULL,
  kind VARCHAR(20) NOT NULL COMMENT 'savepoint, suspend or checkpoint',
  path VARCHAR(1000) NOT NULL COMMENT 'as the engine names it',
  made_at DATETIME(3) NOT NULL,
  ecm_address VARCHAR(250) NOT NULL COMMENT 'of the node where it lies',
  resumed_by BIGINT COMMENT 'the job that goes, or went, on from it last',
  disposed_at DATETIME(3),
  PRIMARY KEY (id)
)COMMENT='states of jobs that others may go on from';

CREATE INDEX ix_headgate_job_savepoint_job_id ON headgate_job_savepoint (job_id);

CREATE TABLE headgate_node (
  name VARCHAR(250) NOT NULL,
  incarnation VARCHAR(32) NOT NULL,
  ecm_address VARCHAR(250) NOT NULL,
  cores FLOAT NOT NULL,
  memory BIGINT NOT NULL,
  status VARCHAR(20) NOT NULL,
  heartbeat_at DATETIME(3) NOT NULL,
  PRIMARY KEY (name)
)COMMENT='machines with an ECM';

CREATE TABLE headgate_session (
  ticket_hash VARCHAR(64) NOT NULL COMMENT 'SHA-256',
  user VARCHAR(20) NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  PRIMARY KEY (ticket_hash)
);

CREATE TABLE headgate_submit_key (
  user VARCHAR(20) NOT NULL,
  key_hash VARCHAR(64) NOT NULL COMMENT 'SHA-256 of the Idempotency-Key',
  body_hash VARCHAR(64) NOT NULL COMMENT 'SHA-256 of what was submitted',
  short_id VARCHAR(64) NOT NULL COMMENT 'of the one job',
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (user, key_hash)
)COMMENT='submits that may be repeated, for a day';

CREATE TABLE headgate_token (
  id INTEGER NOT NULL AUTO_INCREMENT,
  token_hash VARCHAR(64) NOT NULL COMMENT 'SHA-256',
  owner VARCHAR(20) NOT NULL,
  legal_users TEXT NOT NULL COMMENT '* or a list with commas',
  expires_at DATETIME(3) COMMENT 'null: never',
  PRIMARY KEY (id),
  UNIQUE (token_hash)
);

CREATE TABLE headgate_user (
  name VARCHAR(20) NOT NULL,
  password_hash VARCHAR(200) NOT NULL COMMENT 'argon2',
  is_admin BOOL NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE linkis_ps_common_lock (
  id INTEGER(11) NOT NULL AUTO_INCREMENT,
  lock_object VARCHAR(255) COLLATE utf8_bin,
  locker VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT 'locker',
  time_out LONGTEXT COLLATE utf8_bin,
  update_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  create_time DATETIME DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  CONSTRAINT uniq_lock_object UNIQUE (lock_object)
);

CREATE TABLE linkis_ps_job_history_detail (
  id BIGINT(20) NOT NULL COMMENT 'Primary Key, auto increment' AUTO_INCREMENT,
  job_history_id BIGINT(20) NOT NULL COMMENT 'ID of JobHistory',
  result_location VARCHAR(500) COMMENT 'File path of the resultsets',
  execution_content TEXT COMMENT 'The script code or other execution content executed by this Job',
  result_array_size INTEGER(4) COMMENT 'size of result array' DEFAULT '0',
  job_group_info TEXT COMMENT 'Job group info/path',
  created_time DATETIME(3) COMMENT 'Creation time' DEFAULT CURRENT_TIMESTAMP,
  updated_time DATETIME(3) COMMENT 'Update time' DEFAULT CURRENT_TIMESTAMP,
  status VARCHAR(32) COMMENT 'status',
  priority INTEGER(4) COMMENT 'order of subjob' DEFAULT '0',
  PRIMARY KEY (id)
);

CREATE INDEX idx_job_history_id ON linkis_ps_job_history_detail (job_history_id);

CREATE TABLE linkis_ps_job_history_group_history (
  id BIGINT(20) NOT NULL COMMENT 'Primary Key, auto increment' AUTO_INCREMENT,
  job_req_id VARCHAR(64) COMMENT 'job execId',
  submit_user VARCHAR(50) COMMENT 'who submitted this Job',
  execute_user VARCHAR(50) COMMENT 'who actually executed this Job',
  source TEXT COMMENT 'job source',
  labels TEXT COMMENT 'job labels',
  params TEXT COMMENT 'job params',
  progress VARCHAR(32) COMMENT 'Job execution progress',
  status VARCHAR(50) COMMENT 'Script execution status, must be one of the following: Inited, WaitForRetry, Scheduled, Running, Succeed, Failed, Cancelled, Timeout',
  log_path VARCHAR(200) COMMENT 'File path of the job log',
  error_code INTEGER COMMENT 'Error code. Generated when the execution of the script fails',
  error_desc VARCHAR(1000) COMMENT 'Execution description. Generated when the execution of script fails',
  created_time DATETIME(3) COMMENT 'Creation time' DEFAULT CURRENT_TIMESTAMP,
  updated_time DATETIME(3) COMMENT 'Update time' DEFAULT CURRENT_TIMESTAMP,
  instances VARCHAR(250) COMMENT 'Entrance instances',
  metrics TEXT COMMENT 'Job Metrics',
  engine_type VARCHAR(32) COMMENT 'Engine type',
  execution_code TEXT COMMENT 'Job origin code or code path',
  result_location VARCHAR(500) COMMENT 'File path of the resultsets',
  observe_info VARCHAR(500) COMMENT 'The notification information configuration of this job',
  PRIMARY KEY (id),
  CONSTRAINT uniq_job_req_id UNIQUE (job_req_id)
);

CREATE INDEX idx_created_time ON linkis_ps_job_history_group_history (created_time);

CREATE INDEX idx_submit_user ON linkis_ps_job_history_group_history (submit_user);
