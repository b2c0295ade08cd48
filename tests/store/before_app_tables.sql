BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE alert_changes (
	id INTEGER NOT NULL, 
	alert_id INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	who VARCHAR(80) NOT NULL, 
	note TEXT NOT NULL, 
	time DATETIME NOT NULL, 
	CONSTRAINT pk_alert_changes PRIMARY KEY (id), 
	CONSTRAINT fk_alert_changes_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id) ON DELETE CASCADE
);
CREATE TABLE alerts (
	id INTEGER NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	company VARCHAR(80) NOT NULL, 
	opened DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	severity VARCHAR(16) NOT NULL, 
	reason JSON NOT NULL, 
	CONSTRAINT pk_alerts PRIMARY KEY (id), 
	CONSTRAINT uq_alerts_key UNIQUE ("key")
);
CREATE TABLE api_keys (
	id VARCHAR(32) NOT NULL, 
	user_id VARCHAR(32) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	revoked DATETIME, 
	CONSTRAINT pk_api_keys PRIMARY KEY (id), 
	CONSTRAINT fk_api_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_api_keys_digest UNIQUE (digest)
);
CREATE TABLE conversations (
	id VARCHAR(32) NOT NULL, 
	app VARCHAR(80) NOT NULL, 
	owner VARCHAR(80) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_conversations PRIMARY KEY (id)
);
INSERT INTO "conversations" VALUES('cccccccccccccccccccccccccccccccc','customer_service','ann','2026-03-01 12:00:00.000000');
CREATE TABLE decisions (
	id VARCHAR(32) NOT NULL, 
	app VARCHAR(80) NOT NULL, 
	owner VARCHAR(80) NOT NULL, 
	version VARCHAR(80) NOT NULL, 
	time DATETIME NOT NULL, 
	state JSON NOT NULL, 
	action JSON NOT NULL, 
	propensity DOUBLE NOT NULL, 
	CONSTRAINT pk_decisions PRIMARY KEY (id)
);
INSERT INTO "decisions" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','customer_service','ann','v0001','2026-03-01 12:00:00.000000','{"messages": ["where is it"]}','[0]',1.0);
INSERT INTO "decisions" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','recommender','ann','v0001','2026-03-01 12:00:00.000000','{}','[0, 1]',1.0);
CREATE TABLE documents (
	app VARCHAR(80) NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	title TEXT NOT NULL, 
	body TEXT NOT NULL, 
	attributes JSON NOT NULL, 
	updated DATETIME NOT NULL, 
	CONSTRAINT pk_documents PRIMARY KEY (app, "key")
);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	app VARCHAR(80) NOT NULL, 
	owner VARCHAR(80) NOT NULL, 
	"key" VARCHAR(80) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	item VARCHAR(200) NOT NULL, 
	decision_id VARCHAR(32), 
	time DATETIME NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (id), 
	CONSTRAINT fk_events_decision_id FOREIGN KEY(decision_id) REFERENCES decisions (id), 
	CONSTRAINT uq_events_owner_key UNIQUE (owner, "key")
);
INSERT INTO "events" VALUES(1,'recommender','ann','1','like','7','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-03-01 12:00:00.000000');
INSERT INTO "events" VALUES(2,'recommender','ann','2','like','8','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-03-01 12:00:00.000000');
INSERT INTO "events" VALUES(3,'recommender','ann','3','hide','7','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-03-01 12:00:00.000000');
INSERT INTO "events" VALUES(4,'recommender','ann','4','like','9',NULL,'2026-03-01 12:00:00.000000');
CREATE TABLE feedback (
	id INTEGER NOT NULL, 
	decision_id VARCHAR(32) NOT NULL, 
	owner VARCHAR(80) NOT NULL, 
	value DOUBLE NOT NULL, 
	about JSON NOT NULL, 
	time DATETIME NOT NULL, 
	CONSTRAINT pk_feedback PRIMARY KEY (id), 
	CONSTRAINT fk_feedback_decision_id FOREIGN KEY(decision_id) REFERENCES decisions (id), 
	CONSTRAINT uq_feedback_decision_id_owner UNIQUE (decision_id, owner)
);
INSERT INTO "feedback" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','ann',1.0,'{}','2026-03-01 12:00:00.000000');
CREATE TABLE items (
	app VARCHAR(80) NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	title TEXT NOT NULL, 
	attributes JSON NOT NULL, 
	CONSTRAINT pk_items PRIMARY KEY (app, "key")
);
CREATE TABLE model_versions (
	app VARCHAR(80) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	folder TEXT NOT NULL, 
	fingerprint VARCHAR(128) NOT NULL, 
	metrics JSON NOT NULL, 
	note TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_model_versions PRIMARY KEY (app, name)
);
CREATE TABLE news (
	id INTEGER NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	time DATETIME NOT NULL, 
	company VARCHAR(80) NOT NULL, 
	headline TEXT NOT NULL, 
	arrived DATETIME NOT NULL, 
	CONSTRAINT pk_news PRIMARY KEY (id), 
	CONSTRAINT uq_news_key UNIQUE ("key")
);
INSERT INTO "news" VALUES(1,'n1','2026-03-01 12:00:00.000000','corvane','Corvane opens shop','2026-03-01 12:00:00.000000');
CREATE TABLE promotions (
	id INTEGER NOT NULL, 
	app VARCHAR(80) NOT NULL, 
	version VARCHAR(80) NOT NULL, 
	who VARCHAR(80) NOT NULL, 
	reason TEXT NOT NULL, 
	time DATETIME NOT NULL, 
	CONSTRAINT pk_promotions PRIMARY KEY (id)
);
CREATE TABLE scores (
	news_id INTEGER NOT NULL, 
	version VARCHAR(80) NOT NULL, 
	topic VARCHAR(80) NOT NULL, 
	sentiment VARCHAR(16) NOT NULL, 
	probabilities JSON NOT NULL, 
	CONSTRAINT pk_scores PRIMARY KEY (news_id, version), 
	CONSTRAINT fk_scores_news_id FOREIGN KEY(news_id) REFERENCES news (id) ON DELETE CASCADE
);
CREATE TABLE turns (
	id INTEGER NOT NULL, 
	conversation_id VARCHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	text TEXT NOT NULL, 
	"key" VARCHAR(80), 
	decision_id VARCHAR(32), 
	about JSON NOT NULL, 
	time DATETIME NOT NULL, 
	CONSTRAINT pk_turns PRIMARY KEY (id), 
	CONSTRAINT fk_turns_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_turns_decision_id FOREIGN KEY(decision_id) REFERENCES decisions (id), 
	CONSTRAINT uq_turns_conversation_id_key_role UNIQUE (conversation_id, "key", role), 
	CONSTRAINT uq_turns_conversation_id_number UNIQUE (conversation_id, number)
);
INSERT INTO "turns" VALUES(1,'cccccccccccccccccccccccccccccccc',0,'user','where is it',NULL,NULL,'{}','2026-03-01 12:00:00.000000');
INSERT INTO "turns" VALUES(2,'cccccccccccccccccccccccccccccccc',1,'assistant','on its way',NULL,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{}','2026-03-01 12:00:00.000000');
CREATE TABLE users (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	password_hash TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	disabled BOOLEAN NOT NULL, 
	sessions_since DATETIME NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT uq_users_name UNIQUE (name)
);
CREATE INDEX ix_alerts_company ON alerts (company);
CREATE INDEX ix_conversations_owner ON conversations (owner);
CREATE INDEX ix_decisions_app ON decisions (app);
CREATE INDEX ix_decisions_time ON decisions (time);
CREATE INDEX ix_news_time ON news (time);
CREATE INDEX ix_promotions_app ON promotions (app);
CREATE INDEX ix_alert_changes_alert_id ON alert_changes (alert_id);
CREATE INDEX ix_api_keys_user_id ON api_keys (user_id);
CREATE INDEX ix_events_owner ON events (owner);
CREATE INDEX ix_feedback_decision_id ON feedback (decision_id);
COMMIT;
