-- Every table, index and guard of the first release. Statements are apart by an empty line.

CREATE TABLE signature_seen (
  hash BYTEA NOT NULL,
  expires_at_us BIGINT NOT NULL,
  CONSTRAINT pk_signature_seen PRIMARY KEY (hash)
)

CREATE INDEX ix_signature_seen_expires_at_us ON signature_seen (expires_at_us)

CREATE TABLE leaf (
  index BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  kind VARCHAR(16) NOT NULL,
  at_us BIGINT NOT NULL,
  CONSTRAINT pk_leaf PRIMARY KEY (index)
)

CREATE INDEX ix_leaf_hash ON leaf (hash)

CREATE TABLE node (
  level INTEGER NOT NULL,
  index BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  CONSTRAINT pk_node PRIMARY KEY (level, index)
)

CREATE TABLE owner (
  id BIGSERIAL NOT NULL,
  public_id VARCHAR(36) NOT NULL,
  kind VARCHAR(12) NOT NULL,
  name VARCHAR(64) NOT NULL,
  display_name VARCHAR(200) NOT NULL,
  created_at_us BIGINT NOT NULL,
  CONSTRAINT pk_owner PRIMARY KEY (id),
  CONSTRAINT uq_owner_public_id UNIQUE (public_id),
  CONSTRAINT uq_owner_name UNIQUE (name)
)

CREATE TABLE telemetry_count (
  day INTEGER NOT NULL,
  trigger VARCHAR(64) NOT NULL,
  events BIGINT NOT NULL,
  CONSTRAINT pk_telemetry_count PRIMARY KEY (day, trigger)
)

CREATE TABLE artifact (
  id BIGSERIAL NOT NULL,
  digest BYTEA NOT NULL,
  algorithm VARCHAR(32) NOT NULL,
  CONSTRAINT pk_artifact PRIMARY KEY (id),
  CONSTRAINT uq_artifact_digest_algorithm UNIQUE (digest, algorithm)
)

CREATE TABLE anonymous_use (
  address VARCHAR(64) NOT NULL,
  day INTEGER NOT NULL,
  jobs BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  CONSTRAINT pk_anonymous_use PRIMARY KEY (address, day)
)

CREATE TABLE sign_in_attempt (
  key BYTEA NOT NULL,
  failures INTEGER NOT NULL,
  tried_at_us BIGINT NOT NULL,
  succeeded_at_us BIGINT,
  CONSTRAINT pk_sign_in_attempt PRIMARY KEY (key)
)

CREATE INDEX ix_sign_in_attempt_tried_at_us ON sign_in_attempt (tried_at_us)

CREATE TABLE account (
  owner_id BIGINT NOT NULL,
  email VARCHAR(254),
  password_hash VARCHAR(255),
  is_operator BOOLEAN NOT NULL,
  is_disabled BOOLEAN NOT NULL,
  oidc_issuer VARCHAR(255),
  oidc_subject VARCHAR(255),
  CONSTRAINT pk_account PRIMARY KEY (owner_id),
  CONSTRAINT uq_account_oidc_issuer_oidc_subject UNIQUE (oidc_issuer, oidc_subject),
  CONSTRAINT fk_account_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id),
  CONSTRAINT uq_account_email UNIQUE (email)
)

CREATE TABLE membership (
  user_id BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  role INTEGER NOT NULL CONSTRAINT ck_membership_role CHECK (role BETWEEN 1 AND 3),
  CONSTRAINT pk_membership PRIMARY KEY (user_id, organization_id),
  CONSTRAINT fk_membership_user_id FOREIGN KEY(user_id) REFERENCES owner (id),
  CONSTRAINT fk_membership_organization_id FOREIGN KEY(organization_id) REFERENCES owner (id)
)

CREATE INDEX ix_membership_organization_id ON membership (organization_id)

CREATE TABLE ssh_key (
  id BIGSERIAL NOT NULL,
  owner_id BIGINT NOT NULL,
  fingerprint VARCHAR(64) NOT NULL,
  public_key TEXT NOT NULL,
  title VARCHAR(200) NOT NULL,
  created_at_us BIGINT NOT NULL,
  CONSTRAINT pk_ssh_key PRIMARY KEY (id),
  CONSTRAINT fk_ssh_key_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id),
  CONSTRAINT uq_ssh_key_fingerprint UNIQUE (fingerprint)
)

CREATE INDEX ix_ssh_key_owner_id ON ssh_key (owner_id)

CREATE TABLE device_code (
  id BIGSERIAL NOT NULL,
  hash BYTEA NOT NULL,
  user_code VARCHAR(8) NOT NULL,
  client_name VARCHAR(64) NOT NULL,
  address VARCHAR(64) NOT NULL,
  state VARCHAR(8) NOT NULL,
  owner_id BIGINT,
  interval_s INTEGER NOT NULL,
  created_at_us BIGINT NOT NULL,
  expires_at_us BIGINT NOT NULL,
  polled_at_us BIGINT,
  CONSTRAINT pk_device_code PRIMARY KEY (id),
  CONSTRAINT uq_device_code_hash UNIQUE (hash),
  CONSTRAINT uq_device_code_user_code UNIQUE (user_code),
  CONSTRAINT fk_device_code_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id)
)

CREATE INDEX ix_device_code_address ON device_code (address)

CREATE INDEX ix_device_code_expires_at_us ON device_code (expires_at_us)

CREATE TABLE record_bytes (
  leaf_index BIGINT NOT NULL,
  salt BYTEA NOT NULL,
  bytes BYTEA NOT NULL,
  CONSTRAINT pk_record_bytes PRIMARY KEY (leaf_index),
  CONSTRAINT fk_record_bytes_leaf_index FOREIGN KEY(leaf_index) REFERENCES leaf (index)
)

CREATE TABLE log_key (
  id BYTEA NOT NULL,
  public BYTEA NOT NULL,
  leaf_index BIGINT NOT NULL,
  CONSTRAINT pk_log_key PRIMARY KEY (id),
  CONSTRAINT uq_log_key_leaf_index UNIQUE (leaf_index),
  CONSTRAINT fk_log_key_leaf_index FOREIGN KEY(leaf_index) REFERENCES leaf (index)
)

CREATE TABLE withheld (
  leaf_index BIGINT NOT NULL,
  reason TEXT NOT NULL,
  at_us BIGINT NOT NULL,
  record_index BIGINT NOT NULL,
  CONSTRAINT pk_withheld PRIMARY KEY (leaf_index),
  CONSTRAINT fk_withheld_leaf_index FOREIGN KEY(leaf_index) REFERENCES leaf (index),
  CONSTRAINT uq_withheld_record_index UNIQUE (record_index),
  CONSTRAINT fk_withheld_record_index FOREIGN KEY(record_index) REFERENCES leaf (index)
)

CREATE TABLE project (
  id BIGSERIAL NOT NULL,
  public_id VARCHAR(36) NOT NULL,
  owner_id BIGINT NOT NULL,
  slug VARCHAR(64) NOT NULL,
  display_name VARCHAR(200) NOT NULL,
  visibility VARCHAR(8) NOT NULL,
  created_at_us BIGINT NOT NULL,
  CONSTRAINT pk_project PRIMARY KEY (id),
  CONSTRAINT uq_project_owner_id_slug UNIQUE (owner_id, slug),
  CONSTRAINT uq_project_public_id UNIQUE (public_id),
  CONSTRAINT fk_project_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id)
)

CREATE TABLE fragment_session (
  id BIGSERIAL NOT NULL,
  public_id VARCHAR(36) NOT NULL,
  token_hash BYTEA NOT NULL,
  owner_id BIGINT NOT NULL,
  address VARCHAR(64) NOT NULL,
  bytes BIGINT NOT NULL,
  created_at_us BIGINT NOT NULL,
  expires_at_us BIGINT NOT NULL,
  CONSTRAINT pk_fragment_session PRIMARY KEY (id),
  CONSTRAINT uq_fragment_session_public_id UNIQUE (public_id),
  CONSTRAINT fk_fragment_session_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id)
)

CREATE INDEX ix_fragment_session_owner_id_address ON fragment_session (owner_id, address)

CREATE INDEX ix_fragment_session_expires_at_us ON fragment_session (expires_at_us)

CREATE TABLE owner_use (
  owner_id BIGINT NOT NULL,
  day INTEGER NOT NULL,
  jobs BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  CONSTRAINT pk_owner_use PRIMARY KEY (owner_id, day),
  CONSTRAINT fk_owner_use_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id)
)

CREATE TABLE web_session (
  id BIGSERIAL NOT NULL,
  hash BYTEA NOT NULL,
  owner_id BIGINT NOT NULL,
  browser VARCHAR(200) NOT NULL,
  address VARCHAR(64) NOT NULL,
  created_at_us BIGINT NOT NULL,
  seen_at_us BIGINT NOT NULL,
  expires_at_us BIGINT NOT NULL,
  CONSTRAINT pk_web_session PRIMARY KEY (id),
  CONSTRAINT uq_web_session_hash UNIQUE (hash),
  CONSTRAINT fk_web_session_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id)
)

CREATE INDEX ix_web_session_owner_id ON web_session (owner_id)

CREATE INDEX ix_web_session_expires_at_us ON web_session (expires_at_us)

CREATE TABLE project_member (
  user_id BIGINT NOT NULL,
  project_id BIGINT NOT NULL,
  role INTEGER NOT NULL CONSTRAINT ck_project_member_role CHECK (role BETWEEN 1 AND 3),
  CONSTRAINT pk_project_member PRIMARY KEY (user_id, project_id),
  CONSTRAINT fk_project_member_user_id FOREIGN KEY(user_id) REFERENCES owner (id),
  CONSTRAINT fk_project_member_project_id FOREIGN KEY(project_id) REFERENCES project (id)
)

CREATE INDEX ix_project_member_project_id ON project_member (project_id)

CREATE TABLE token (
  id BIGSERIAL NOT NULL,
  hash BYTEA NOT NULL,
  owner_id BIGINT NOT NULL,
  kind VARCHAR(8) NOT NULL,
  family VARCHAR(32) NOT NULL,
  came_of BIGINT,
  title VARCHAR(200) NOT NULL,
  is_read_only BOOLEAN NOT NULL,
  project_id BIGINT,
  created_at_us BIGINT NOT NULL,
  expires_at_us BIGINT NOT NULL,
  revoked_at_us BIGINT,
  used_at_us BIGINT,
  CONSTRAINT pk_token PRIMARY KEY (id),
  CONSTRAINT uq_token_hash UNIQUE (hash),
  CONSTRAINT fk_token_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id),
  CONSTRAINT fk_token_project_id FOREIGN KEY(project_id) REFERENCES project (id)
)

CREATE INDEX ix_token_family ON token (family)

CREATE INDEX ix_token_expires_at_us ON token (expires_at_us)

CREATE INDEX ix_token_owner_id ON token (owner_id)

CREATE TABLE tree_head (
  size BIGINT NOT NULL,
  root BYTEA NOT NULL,
  at_us BIGINT NOT NULL,
  key_id BYTEA NOT NULL,
  signature BYTEA NOT NULL,
  CONSTRAINT pk_tree_head PRIMARY KEY (size),
  CONSTRAINT fk_tree_head_key_id FOREIGN KEY(key_id) REFERENCES log_key (id)
)

CREATE TABLE fragment (
  fragment_session_id BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  content_hash BYTEA NOT NULL,
  content BYTEA NOT NULL,
  CONSTRAINT pk_fragment PRIMARY KEY (fragment_session_id, sequence, content_hash),
  CONSTRAINT fk_fragment_fragment_session_id FOREIGN KEY(fragment_session_id) REFERENCES fragment_session (id) ON DELETE CASCADE
)

CREATE TABLE session (
  id BIGSERIAL NOT NULL,
  hash BYTEA NOT NULL,
  owner_id BIGINT NOT NULL,
  project_id BIGINT,
  visibility VARCHAR(8) NOT NULL,
  registered_by BIGINT,
  git_repo TEXT,
  git_commit VARCHAR(64) NOT NULL,
  git_branch TEXT,
  client_version VARCHAR(64) NOT NULL,
  registered_at_us BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  CONSTRAINT pk_session PRIMARY KEY (id),
  CONSTRAINT uq_session_hash UNIQUE (hash),
  CONSTRAINT fk_session_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id),
  CONSTRAINT fk_session_project_id FOREIGN KEY(project_id) REFERENCES project (id),
  CONSTRAINT fk_session_registered_by FOREIGN KEY(registered_by) REFERENCES owner (id)
)

CREATE INDEX ix_session_git_commit_registered_at_us ON session (git_commit, registered_at_us)

CREATE INDEX ix_session_owner_id_registered_at_us ON session (owner_id, registered_at_us)

CREATE INDEX ix_session_project_id_registered_at_us ON session (project_id, registered_at_us)

CREATE INDEX ix_session_registered_by_registered_at_us ON session (registered_by, registered_at_us)

CREATE INDEX ix_session_leaf_index ON session (leaf_index)

CREATE INDEX ix_session_registered_at_us ON session (registered_at_us)

CREATE TABLE job (
  id BIGSERIAL NOT NULL,
  uid BYTEA NOT NULL,
  job_hash BYTEA,
  owner_id BIGINT NOT NULL,
  session_id BIGINT NOT NULL,
  parent_id BIGINT,
  kind VARCHAR(32) NOT NULL,
  step INTEGER NOT NULL,
  command TEXT,
  started_at_us BIGINT NOT NULL,
  duration_us BIGINT,
  exit_code INTEGER,
  git_commit VARCHAR(64) NOT NULL,
  git_branch TEXT,
  metadata TEXT,
  leaf_index BIGINT NOT NULL,
  CONSTRAINT pk_job PRIMARY KEY (id),
  CONSTRAINT uq_job_uid_owner_id UNIQUE (uid, owner_id),
  CONSTRAINT fk_job_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id),
  CONSTRAINT fk_job_session_id FOREIGN KEY(session_id) REFERENCES session (id),
  CONSTRAINT fk_job_parent_id FOREIGN KEY(parent_id) REFERENCES job (id)
)

CREATE INDEX ix_job_leaf_index ON job (leaf_index)

CREATE INDEX ix_job_job_hash_started_at_us ON job (job_hash, started_at_us)

CREATE INDEX ix_job_session_id_step ON job (session_id, step)

CREATE INDEX ix_job_git_commit_started_at_us ON job (git_commit, started_at_us)

CREATE INDEX ix_job_started_at_us ON job (started_at_us)

CREATE TABLE artifact_fact (
  id BIGSERIAL NOT NULL,
  artifact_id BIGINT NOT NULL,
  session_id BIGINT NOT NULL,
  size_bytes BIGINT,
  source_type VARCHAR(16),
  source_url TEXT,
  metadata TEXT,
  leaf_index BIGINT NOT NULL,
  CONSTRAINT pk_artifact_fact PRIMARY KEY (id),
  CONSTRAINT fk_artifact_fact_artifact_id FOREIGN KEY(artifact_id) REFERENCES artifact (id),
  CONSTRAINT fk_artifact_fact_session_id FOREIGN KEY(session_id) REFERENCES session (id)
)

CREATE INDEX ix_artifact_fact_session_id ON artifact_fact (session_id)

CREATE INDEX ix_artifact_fact_leaf_index ON artifact_fact (leaf_index)

CREATE INDEX ix_artifact_fact_artifact_id_session_id ON artifact_fact (artifact_id, session_id)

CREATE TABLE digest_claim (
  digest BYTEA NOT NULL,
  algorithm VARCHAR(32) NOT NULL,
  artifact_id BIGINT NOT NULL,
  session_id BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  CONSTRAINT pk_digest_claim PRIMARY KEY (digest, algorithm, artifact_id, session_id),
  CONSTRAINT fk_digest_claim_artifact_id FOREIGN KEY(artifact_id) REFERENCES artifact (id),
  CONSTRAINT fk_digest_claim_session_id FOREIGN KEY(session_id) REFERENCES session (id)
)

CREATE INDEX ix_digest_claim_artifact_id ON digest_claim (artifact_id)

CREATE TABLE composite (
  id BIGSERIAL NOT NULL,
  artifact_id BIGINT NOT NULL,
  session_id BIGINT NOT NULL,
  size_bytes BIGINT,
  total BIGINT NOT NULL,
  stored BIGINT NOT NULL,
  is_proven BOOLEAN NOT NULL,
  bloom BYTEA,
  bloom_bits BIGINT,
  bloom_hashes INTEGER,
  metadata TEXT,
  leaf_index BIGINT NOT NULL,
  CONSTRAINT pk_composite PRIMARY KEY (id),
  CONSTRAINT fk_composite_artifact_id FOREIGN KEY(artifact_id) REFERENCES artifact (id),
  CONSTRAINT fk_composite_session_id FOREIGN KEY(session_id) REFERENCES session (id)
)

CREATE INDEX ix_composite_session_id ON composite (session_id)

CREATE INDEX ix_composite_leaf_index ON composite (leaf_index)

CREATE INDEX ix_composite_artifact_id_session_id ON composite (artifact_id, session_id)

CREATE TABLE registration (
  id BIGSERIAL NOT NULL,
  public_id VARCHAR(64) NOT NULL,
  token_hash BYTEA NOT NULL,
  client_version VARCHAR(64) NOT NULL,
  owner_id BIGINT NOT NULL,
  state VARCHAR(8) NOT NULL,
  session_id BIGINT,
  is_origin BOOLEAN NOT NULL,
  address VARCHAR(64) NOT NULL,
  client_session_id VARCHAR(128),
  staged_jobs BIGINT NOT NULL,
  staged_bytes BIGINT NOT NULL,
  created_at_us BIGINT NOT NULL,
  expires_at_us BIGINT NOT NULL,
  CONSTRAINT pk_registration PRIMARY KEY (id),
  CONSTRAINT uq_registration_owner_id_client_session_id UNIQUE (owner_id, client_session_id),
  CONSTRAINT uq_registration_public_id UNIQUE (public_id),
  CONSTRAINT fk_registration_owner_id FOREIGN KEY(owner_id) REFERENCES owner (id),
  CONSTRAINT fk_registration_session_id FOREIGN KEY(session_id) REFERENCES session (id)
)

CREATE INDEX ix_registration_session_id ON registration (session_id)

CREATE INDEX ix_registration_open_expires_at_us ON registration (expires_at_us) WHERE state = 'open'

CREATE TABLE legacy_session (
  name BYTEA NOT NULL,
  registration_name VARCHAR(64),
  session_id BIGINT,
  git_repo TEXT NOT NULL,
  git_commit VARCHAR(64) NOT NULL,
  git_branch TEXT NOT NULL,
  client_version VARCHAR(64) NOT NULL,
  opened_at_us BIGINT NOT NULL,
  CONSTRAINT pk_legacy_session PRIMARY KEY (name),
  CONSTRAINT fk_legacy_session_session_id FOREIGN KEY(session_id) REFERENCES session (id)
)

CREATE INDEX ix_legacy_session_registration_name ON legacy_session (registration_name)

CREATE TABLE component (
  composite_id BIGINT NOT NULL,
  ordinal INTEGER NOT NULL,
  path TEXT,
  leaf_kind VARCHAR(16) NOT NULL,
  algorithm VARCHAR(32) NOT NULL,
  digest BYTEA NOT NULL,
  size_bytes BIGINT,
  type VARCHAR(128),
  CONSTRAINT pk_component PRIMARY KEY (composite_id, ordinal),
  CONSTRAINT fk_component_composite_id FOREIGN KEY(composite_id) REFERENCES composite (id)
)

CREATE INDEX ix_component_digest ON component (digest)

CREATE TABLE edge (
  job_id BIGINT NOT NULL,
  direction VARCHAR(3) NOT NULL,
  artifact_id BIGINT NOT NULL,
  ordinal INTEGER NOT NULL,
  path TEXT,
  size_bytes BIGINT,
  byte_ranges TEXT,
  selected BIGINT,
  total BIGINT,
  bloom TEXT,
  CONSTRAINT pk_edge PRIMARY KEY (job_id, direction, artifact_id, ordinal),
  CONSTRAINT fk_edge_job_id FOREIGN KEY(job_id) REFERENCES job (id),
  CONSTRAINT fk_edge_artifact_id FOREIGN KEY(artifact_id) REFERENCES artifact (id)
)

CREATE INDEX ix_edge_file_name ON edge (left(substring(path from '[^/]*$'), 255), job_id, direction, artifact_id, ordinal)

CREATE INDEX ix_edge_artifact_id_direction_job_id ON edge (artifact_id, direction, job_id)

CREATE TABLE label (
  id BIGSERIAL NOT NULL,
  entity VARCHAR(8) NOT NULL,
  session_id BIGINT NOT NULL,
  job_id BIGINT,
  artifact_id BIGINT,
  version INTEGER NOT NULL,
  document TEXT,
  origins TEXT,
  at_us BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  CONSTRAINT pk_label PRIMARY KEY (id),
  CONSTRAINT fk_label_session_id FOREIGN KEY(session_id) REFERENCES session (id),
  CONSTRAINT fk_label_job_id FOREIGN KEY(job_id) REFERENCES job (id),
  CONSTRAINT fk_label_artifact_id FOREIGN KEY(artifact_id) REFERENCES artifact (id)
)

CREATE INDEX ix_label_leaf_index ON label (leaf_index)

CREATE INDEX ix_label_artifact_id ON label (artifact_id)

CREATE INDEX ix_label_job_id ON label (job_id)

CREATE INDEX ix_label_session_id_entity_job_id_artifact_id_version ON label (session_id, entity, job_id, artifact_id, version)

CREATE TABLE staged (
  id BIGSERIAL NOT NULL,
  registration_id BIGINT NOT NULL,
  kind VARCHAR(12) NOT NULL,
  keys TEXT,
  body TEXT NOT NULL,
  CONSTRAINT pk_staged PRIMARY KEY (id),
  CONSTRAINT fk_staged_registration_id FOREIGN KEY(registration_id) REFERENCES registration (id) ON DELETE CASCADE
)

CREATE INDEX ix_staged_registration_id_kind ON staged (registration_id, kind)

CREATE TABLE label_value (
  key VARCHAR(255) NOT NULL,
  value VARCHAR(255) NOT NULL,
  label_id BIGINT NOT NULL,
  ordinal INTEGER NOT NULL,
  CONSTRAINT pk_label_value PRIMARY KEY (key, value, label_id),
  CONSTRAINT fk_label_value_label_id FOREIGN KEY(label_id) REFERENCES label (id)
)

CREATE INDEX ix_label_value_key_label_id ON label_value (key, label_id)

CREATE FUNCTION glaas_session_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld WHERE withheld.leaf_index = OLD.leaf_index) AND NEW."id" IS NOT DISTINCT FROM OLD."id" AND NEW."hash" IS NOT DISTINCT FROM OLD."hash" AND NEW."owner_id" IS NOT DISTINCT FROM OLD."owner_id" AND NEW."project_id" IS NOT DISTINCT FROM OLD."project_id" AND NEW."visibility" IS NOT DISTINCT FROM OLD."visibility" AND NEW."registered_by" IS NOT DISTINCT FROM OLD."registered_by" AND (NEW."git_repo" IS NOT DISTINCT FROM OLD."git_repo" OR NEW."git_repo" IS NULL) AND NEW."git_commit" IS NOT DISTINCT FROM OLD."git_commit" AND (NEW."git_branch" IS NOT DISTINCT FROM OLD."git_branch" OR NEW."git_branch" IS NULL) AND NEW."client_version" IS NOT DISTINCT FROM OLD."client_version" AND NEW."registered_at_us" IS NOT DISTINCT FROM OLD."registered_at_us" AND NEW."leaf_index" IS NOT DISTINCT FROM OLD."leaf_index") OR (OLD.visibility = 'private' AND NEW.visibility = 'public' AND NEW."id" IS NOT DISTINCT FROM OLD."id" AND NEW."hash" IS NOT DISTINCT FROM OLD."hash" AND NEW."owner_id" IS NOT DISTINCT FROM OLD."owner_id" AND NEW."project_id" IS NOT DISTINCT FROM OLD."project_id" AND NEW."registered_by" IS NOT DISTINCT FROM OLD."registered_by" AND NEW."git_repo" IS NOT DISTINCT FROM OLD."git_repo" AND NEW."git_commit" IS NOT DISTINCT FROM OLD."git_commit" AND NEW."git_branch" IS NOT DISTINCT FROM OLD."git_branch" AND NEW."client_version" IS NOT DISTINCT FROM OLD."client_version" AND NEW."registered_at_us" IS NOT DISTINCT FROM OLD."registered_at_us" AND NEW."leaf_index" IS NOT DISTINCT FROM OLD."leaf_index") THEN RETURN NEW; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER session_update BEFORE UPDATE ON session FOR EACH ROW EXECUTE FUNCTION glaas_session_update()

CREATE FUNCTION glaas_session_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER session_delete BEFORE DELETE ON session FOR EACH ROW EXECUTE FUNCTION glaas_session_delete()

CREATE FUNCTION glaas_job_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld WHERE withheld.leaf_index = OLD.leaf_index) AND NEW."id" IS NOT DISTINCT FROM OLD."id" AND NEW."uid" IS NOT DISTINCT FROM OLD."uid" AND (NEW."job_hash" IS NOT DISTINCT FROM OLD."job_hash" OR NEW."job_hash" IS NULL) AND NEW."owner_id" IS NOT DISTINCT FROM OLD."owner_id" AND NEW."session_id" IS NOT DISTINCT FROM OLD."session_id" AND NEW."parent_id" IS NOT DISTINCT FROM OLD."parent_id" AND NEW."kind" IS NOT DISTINCT FROM OLD."kind" AND NEW."step" IS NOT DISTINCT FROM OLD."step" AND (NEW."command" IS NOT DISTINCT FROM OLD."command" OR NEW."command" IS NULL) AND NEW."started_at_us" IS NOT DISTINCT FROM OLD."started_at_us" AND NEW."duration_us" IS NOT DISTINCT FROM OLD."duration_us" AND NEW."exit_code" IS NOT DISTINCT FROM OLD."exit_code" AND NEW."git_commit" IS NOT DISTINCT FROM OLD."git_commit" AND (NEW."git_branch" IS NOT DISTINCT FROM OLD."git_branch" OR NEW."git_branch" IS NULL) AND (NEW."metadata" IS NOT DISTINCT FROM OLD."metadata" OR NEW."metadata" IS NULL) AND NEW."leaf_index" IS NOT DISTINCT FROM OLD."leaf_index") THEN RETURN NEW; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER job_update BEFORE UPDATE ON job FOR EACH ROW EXECUTE FUNCTION glaas_job_update()

CREATE FUNCTION glaas_job_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER job_delete BEFORE DELETE ON job FOR EACH ROW EXECUTE FUNCTION glaas_job_delete()

CREATE FUNCTION glaas_artifact_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER artifact_update BEFORE UPDATE ON artifact FOR EACH ROW EXECUTE FUNCTION glaas_artifact_update()

CREATE FUNCTION glaas_artifact_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER artifact_delete BEFORE DELETE ON artifact FOR EACH ROW EXECUTE FUNCTION glaas_artifact_delete()

CREATE FUNCTION glaas_artifact_fact_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld WHERE withheld.leaf_index = OLD.leaf_index) AND NEW."id" IS NOT DISTINCT FROM OLD."id" AND NEW."artifact_id" IS NOT DISTINCT FROM OLD."artifact_id" AND NEW."session_id" IS NOT DISTINCT FROM OLD."session_id" AND (NEW."size_bytes" IS NOT DISTINCT FROM OLD."size_bytes" OR NEW."size_bytes" IS NULL) AND (NEW."source_type" IS NOT DISTINCT FROM OLD."source_type" OR NEW."source_type" IS NULL) AND (NEW."source_url" IS NOT DISTINCT FROM OLD."source_url" OR NEW."source_url" IS NULL) AND (NEW."metadata" IS NOT DISTINCT FROM OLD."metadata" OR NEW."metadata" IS NULL) AND NEW."leaf_index" IS NOT DISTINCT FROM OLD."leaf_index") THEN RETURN NEW; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER artifact_fact_update BEFORE UPDATE ON artifact_fact FOR EACH ROW EXECUTE FUNCTION glaas_artifact_fact_update()

CREATE FUNCTION glaas_artifact_fact_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER artifact_fact_delete BEFORE DELETE ON artifact_fact FOR EACH ROW EXECUTE FUNCTION glaas_artifact_fact_delete()

CREATE FUNCTION glaas_digest_claim_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER digest_claim_update BEFORE UPDATE ON digest_claim FOR EACH ROW EXECUTE FUNCTION glaas_digest_claim_update()

CREATE FUNCTION glaas_digest_claim_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER digest_claim_delete BEFORE DELETE ON digest_claim FOR EACH ROW EXECUTE FUNCTION glaas_digest_claim_delete()

CREATE FUNCTION glaas_composite_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld WHERE withheld.leaf_index = OLD.leaf_index) AND NEW."id" IS NOT DISTINCT FROM OLD."id" AND NEW."artifact_id" IS NOT DISTINCT FROM OLD."artifact_id" AND NEW."session_id" IS NOT DISTINCT FROM OLD."session_id" AND (NEW."size_bytes" IS NOT DISTINCT FROM OLD."size_bytes" OR NEW."size_bytes" IS NULL) AND NEW."total" IS NOT DISTINCT FROM OLD."total" AND NEW."stored" IS NOT DISTINCT FROM OLD."stored" AND NEW."is_proven" IS NOT DISTINCT FROM OLD."is_proven" AND (NEW."bloom" IS NOT DISTINCT FROM OLD."bloom" OR NEW."bloom" IS NULL) AND (NEW."bloom_bits" IS NOT DISTINCT FROM OLD."bloom_bits" OR NEW."bloom_bits" IS NULL) AND (NEW."bloom_hashes" IS NOT DISTINCT FROM OLD."bloom_hashes" OR NEW."bloom_hashes" IS NULL) AND (NEW."metadata" IS NOT DISTINCT FROM OLD."metadata" OR NEW."metadata" IS NULL) AND NEW."leaf_index" IS NOT DISTINCT FROM OLD."leaf_index") THEN RETURN NEW; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER composite_update BEFORE UPDATE ON composite FOR EACH ROW EXECUTE FUNCTION glaas_composite_update()

CREATE FUNCTION glaas_composite_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER composite_delete BEFORE DELETE ON composite FOR EACH ROW EXECUTE FUNCTION glaas_composite_delete()

CREATE FUNCTION glaas_component_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld JOIN composite ON composite.leaf_index = withheld.leaf_index WHERE composite.id = OLD.composite_id) AND NEW."composite_id" IS NOT DISTINCT FROM OLD."composite_id" AND NEW."ordinal" IS NOT DISTINCT FROM OLD."ordinal" AND (NEW."path" IS NOT DISTINCT FROM OLD."path" OR NEW."path" IS NULL) AND NEW."leaf_kind" IS NOT DISTINCT FROM OLD."leaf_kind" AND NEW."algorithm" IS NOT DISTINCT FROM OLD."algorithm" AND NEW."digest" IS NOT DISTINCT FROM OLD."digest" AND NEW."size_bytes" IS NOT DISTINCT FROM OLD."size_bytes" AND (NEW."type" IS NOT DISTINCT FROM OLD."type" OR NEW."type" IS NULL)) THEN RETURN NEW; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER component_update BEFORE UPDATE ON component FOR EACH ROW EXECUTE FUNCTION glaas_component_update()

CREATE FUNCTION glaas_component_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER component_delete BEFORE DELETE ON component FOR EACH ROW EXECUTE FUNCTION glaas_component_delete()

CREATE FUNCTION glaas_edge_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld JOIN job ON job.leaf_index = withheld.leaf_index WHERE job.id = OLD.job_id) AND NEW."job_id" IS NOT DISTINCT FROM OLD."job_id" AND NEW."direction" IS NOT DISTINCT FROM OLD."direction" AND NEW."artifact_id" IS NOT DISTINCT FROM OLD."artifact_id" AND NEW."ordinal" IS NOT DISTINCT FROM OLD."ordinal" AND (NEW."path" IS NOT DISTINCT FROM OLD."path" OR NEW."path" IS NULL) AND NEW."size_bytes" IS NOT DISTINCT FROM OLD."size_bytes" AND NEW."byte_ranges" IS NOT DISTINCT FROM OLD."byte_ranges" AND NEW."selected" IS NOT DISTINCT FROM OLD."selected" AND NEW."total" IS NOT DISTINCT FROM OLD."total" AND (NEW."bloom" IS NOT DISTINCT FROM OLD."bloom" OR NEW."bloom" IS NULL)) THEN RETURN NEW; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER edge_update BEFORE UPDATE ON edge FOR EACH ROW EXECUTE FUNCTION glaas_edge_update()

CREATE FUNCTION glaas_edge_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER edge_delete BEFORE DELETE ON edge FOR EACH ROW EXECUTE FUNCTION glaas_edge_delete()

CREATE FUNCTION glaas_label_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld WHERE withheld.leaf_index = OLD.leaf_index) AND NEW."id" IS NOT DISTINCT FROM OLD."id" AND NEW."entity" IS NOT DISTINCT FROM OLD."entity" AND NEW."session_id" IS NOT DISTINCT FROM OLD."session_id" AND NEW."job_id" IS NOT DISTINCT FROM OLD."job_id" AND NEW."artifact_id" IS NOT DISTINCT FROM OLD."artifact_id" AND NEW."version" IS NOT DISTINCT FROM OLD."version" AND (NEW."document" IS NOT DISTINCT FROM OLD."document" OR NEW."document" IS NULL) AND (NEW."origins" IS NOT DISTINCT FROM OLD."origins" OR NEW."origins" IS NULL) AND NEW."at_us" IS NOT DISTINCT FROM OLD."at_us" AND NEW."leaf_index" IS NOT DISTINCT FROM OLD."leaf_index") THEN RETURN NEW; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER label_update BEFORE UPDATE ON label FOR EACH ROW EXECUTE FUNCTION glaas_label_update()

CREATE FUNCTION glaas_label_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER label_delete BEFORE DELETE ON label FOR EACH ROW EXECUTE FUNCTION glaas_label_delete()

CREATE FUNCTION glaas_leaf_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER leaf_update BEFORE UPDATE ON leaf FOR EACH ROW EXECUTE FUNCTION glaas_leaf_update()

CREATE FUNCTION glaas_leaf_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER leaf_delete BEFORE DELETE ON leaf FOR EACH ROW EXECUTE FUNCTION glaas_leaf_delete()

CREATE FUNCTION glaas_record_bytes_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER record_bytes_update BEFORE UPDATE ON record_bytes FOR EACH ROW EXECUTE FUNCTION glaas_record_bytes_update()

CREATE FUNCTION glaas_record_bytes_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (EXISTS (SELECT 1 FROM withheld WHERE withheld.leaf_index = OLD.leaf_index)) THEN RETURN OLD; END IF; RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER record_bytes_delete BEFORE DELETE ON record_bytes FOR EACH ROW EXECUTE FUNCTION glaas_record_bytes_delete()

CREATE FUNCTION glaas_node_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER node_update BEFORE UPDATE ON node FOR EACH ROW EXECUTE FUNCTION glaas_node_update()

CREATE FUNCTION glaas_node_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER node_delete BEFORE DELETE ON node FOR EACH ROW EXECUTE FUNCTION glaas_node_delete()

CREATE FUNCTION glaas_log_key_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER log_key_update BEFORE UPDATE ON log_key FOR EACH ROW EXECUTE FUNCTION glaas_log_key_update()

CREATE FUNCTION glaas_log_key_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER log_key_delete BEFORE DELETE ON log_key FOR EACH ROW EXECUTE FUNCTION glaas_log_key_delete()

CREATE FUNCTION glaas_tree_head_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER tree_head_update BEFORE UPDATE ON tree_head FOR EACH ROW EXECUTE FUNCTION glaas_tree_head_update()

CREATE FUNCTION glaas_tree_head_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER tree_head_delete BEFORE DELETE ON tree_head FOR EACH ROW EXECUTE FUNCTION glaas_tree_head_delete()

CREATE FUNCTION glaas_withheld_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER withheld_update BEFORE UPDATE ON withheld FOR EACH ROW EXECUTE FUNCTION glaas_withheld_update()

CREATE FUNCTION glaas_withheld_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'registered records are never changed' USING ERRCODE = 'integrity_constraint_violation'; END $$

CREATE TRIGGER withheld_delete BEFORE DELETE ON withheld FOR EACH ROW EXECUTE FUNCTION glaas_withheld_delete()

CREATE INDEX ix_job_words ON job USING gin ((to_tsvector('simple', regexp_replace(left(command, 100000), E'[^a-zA-Z0-9\u0080-\U0010FFFF]+', ' ', 'g'))))
