BEGIN TRANSACTION;
CREATE TABLE "account" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "industry" TEXT, "region" TEXT, "country" TEXT, "tier" TEXT, "website" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "approval" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "question" TEXT, "about" TEXT, "asked" TEXT, "role" TEXT, "answers" TEXT, "status" TEXT, "answer" TEXT, "answered_by" TEXT, "comment" TEXT, "asked_at" BIGINT, "due_at" BIGINT, "run" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "calendar" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "time_zone" TEXT, "opening" TEXT, "holidays" TEXT, "extra_days" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
INSERT INTO "calendar" VALUES('01m9snkrc0e0080019pf4aempd',1,'Sales hours','Europe/Berlin','["mon-fri 09:00-18:00"]','["2026-12-24/2026-12-26","2026-12-31/2027-01-01"]',NULL,'sales-hours',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "calendar" VALUES('01m9snkrc0e00800m6ct3046z8',1,'Support hours','Europe/Berlin','["mon-fri 09:00-18:00"]','["2026-12-24/2026-12-26","2026-12-31/2027-01-01"]',NULL,'support-hours',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "calendar" VALUES('01m9snkrc0e008015vh8w72aqb',1,'When marketing mails may go out','Europe/Berlin','["mon-fri 09:00-20:00","sat 10:00-16:00"]','["2026-12-24/2026-12-26","2026-12-31/2027-01-01"]',NULL,'marketing-hours',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
CREATE TABLE "campaign" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "starts_on" TEXT, "ends_on" TEXT, "budget" BIGINT, "budget_currency" TEXT, "status" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "contact" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "email" TEXT, "phone" TEXT, "account" TEXT, "locale" TEXT, "time_zone" TEXT, "country" TEXT, "tier" TEXT, "life_cycle" TEXT, "mail_consent" BIGINT, "survey_consent" BIGINT, "birthday" TEXT, "last_order_at" BIGINT, "order_count" BIGINT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
INSERT INTO "contact" VALUES('01m9snkrc0e008007t7qbbw52x',1,'Anna','anna@a.example',NULL,NULL,'en',NULL,NULL,'standard','customer',1,1,NULL,NULL,0,'anna',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "contact" VALUES('01m9sskxy0e008007nad18eqd8',1,'Bert','bert@a.example',NULL,NULL,'en',NULL,NULL,'standard','customer',1,1,NULL,NULL,0,'bert',NULL,NULL,NULL,1797235800000,1797235800000,NULL);
INSERT INTO "contact" VALUES('01m9ssx2x0e008005dmg7mbe9d',1,'Cleo','cleo@a.example',NULL,NULL,'en',NULL,NULL,'standard','customer',1,1,NULL,NULL,0,'cleo',NULL,NULL,NULL,1797236100000,1797236100000,NULL);
CREATE TABLE "contract" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "contact" TEXT, "account" TEXT, "amount" BIGINT, "amount_currency" TEXT, "starts_on" TEXT, "ends_on" TEXT, "status" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "interaction" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "about" TEXT, "kind" TEXT, "summary" TEXT, "mail" TEXT, "template" TEXT, "happened_at" BIGINT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "lead" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "email" TEXT, "phone" TEXT, "company" TEXT, "company_size" BIGINT, "country" TEXT, "locale" TEXT, "source" TEXT, "batch" TEXT, "score" NUMERIC, "note" TEXT, "status" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "message" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "ticket" TEXT, "direction" TEXT, "author" TEXT, "subject" TEXT, "body" TEXT, "message_id" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "opportunity" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "account" TEXT, "contact" TEXT, "amount" BIGINT, "amount_currency" TEXT, "close_date" TEXT, "probability" NUMERIC, "stage" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "order" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "ref" TEXT, "contact" TEXT, "amount" BIGINT, "amount_currency" TEXT, "placed_at" BIGINT, "paid_at" BIGINT, "status" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "queue" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "priority" BIGINT, "fallback" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
INSERT INTO "queue" VALUES('01m9snkrc0e00803hvq5f6zh2x',1,'Unassigned',0,NULL,'unassigned',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "queue" VALUES('01m9snkrc0e0080474bh84ntq9',1,'Support',0,NULL,'support',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "queue" VALUES('01m9snkrc0e00804mhdmtmwhw0',1,'Complaints',10,NULL,'complaints',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
CREATE TABLE relata_enrolment (
    workflow TEXT NOT NULL,
    enrolment_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    counted_at BIGINT,                -- from when `again_after` counts
    running BIGINT NOT NULL,
    PRIMARY KEY (workflow, enrolment_key)
);
INSERT INTO "relata_enrolment" VALUES('greet','contact/01m9snkrc0e008007t7qbbw52x','run_01m9snkrc0e008003es8bf10h2',1797231600000,1797231600000,0);
INSERT INTO "relata_enrolment" VALUES('greet','contact/01m9sskxy0e008007nad18eqd8','run_01m9sskxy0e008006c9sn1bw1e',1797235800000,1797235800000,1);
CREATE TABLE relata_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,               -- created, changed, deleted, named
    name TEXT,                        -- of a named event
    object TEXT,
    record TEXT,                      -- object/id; the main one of a named event
    event_key TEXT,                   -- what correlates a named event
    about TEXT,                       -- JSON list of references
    before_image TEXT,                -- JSON
    after_image TEXT,                 -- JSON
    data TEXT,                        -- JSON
    actor TEXT NOT NULL,
    run_id TEXT,
    workflow TEXT,
    depth BIGINT NOT NULL,
    pending BIGINT NOT NULL
);
INSERT INTO "relata_event" VALUES(1,'evt_01m9snkrc0e00800ahva1ngpd0',1797231600000,'created',NULL,'calendar','calendar/01m9snkrc0e0080019pf4aempd',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"sales-hours"},"holidays":{"list":[{"text":"2026-12-24/2026-12-26"},{"text":"2026-12-31/2027-01-01"}]},"name":{"text":"Sales hours"},"opening":{"list":[{"text":"mon-fri 09:00-18:00"}]},"time_zone":{"text":"Europe/Berlin"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(2,'evt_01m9snkrc0e00800r8ehpk70ac',1797231600000,'created',NULL,'calendar','calendar/01m9snkrc0e00800m6ct3046z8',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"support-hours"},"holidays":{"list":[{"text":"2026-12-24/2026-12-26"},{"text":"2026-12-31/2027-01-01"}]},"name":{"text":"Support hours"},"opening":{"list":[{"text":"mon-fri 09:00-18:00"}]},"time_zone":{"text":"Europe/Berlin"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(3,'evt_01m9snkrc0e008018db1j9wp84',1797231600000,'created',NULL,'calendar','calendar/01m9snkrc0e008015vh8w72aqb',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"marketing-hours"},"holidays":{"list":[{"text":"2026-12-24/2026-12-26"},{"text":"2026-12-31/2027-01-01"}]},"name":{"text":"When marketing mails may go out"},"opening":{"list":[{"text":"mon-fri 09:00-20:00"},{"text":"sat 10:00-16:00"}]},"time_zone":{"text":"Europe/Berlin"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(4,'evt_01m9snkrc0e00801t4vac39hxc',1797231600000,'created',NULL,'team','team/01m9snkrc0e00801jyc27c94an',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"enterprise"},"name":{"text":"Enterprise"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(5,'evt_01m9snkrc0e00802f6jrzrchf0',1797231600000,'created',NULL,'team','team/01m9snkrc0e008022d6sptk2pj',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"dach"},"name":{"text":"Germany, Austria, Switzerland"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(6,'evt_01m9snkrc0e00802ydj99vcr0p',1797231600000,'created',NULL,'team','team/01m9snkrc0e00802gmem9vbhj4',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"international"},"name":{"text":"International"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(7,'evt_01m9snkrc0e00803cfqx9y5cyy',1797231600000,'created',NULL,'team','team/01m9snkrc0e008031fxv0mbr23',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"support"},"name":{"text":"Support"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(8,'evt_01m9snkrc0e00803smeh4tg5xd',1797231600000,'created',NULL,'queue','queue/01m9snkrc0e00803hvq5f6zh2x',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"unassigned"},"name":{"text":"Unassigned"},"priority":{"number":"0"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(9,'evt_01m9snkrc0e008048e6tyt1xmm',1797231600000,'created',NULL,'queue','queue/01m9snkrc0e0080474bh84ntq9',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"support"},"name":{"text":"Support"},"priority":{"number":"0"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(10,'evt_01m9snkrc0e00804ryepvvhkr4',1797231600000,'created',NULL,'queue','queue/01m9snkrc0e00804mhdmtmwhw0',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"complaints"},"name":{"text":"Complaints"},"priority":{"number":"10"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(11,'evt_01m9snkrc0e00805d3nvkg4wnh',1797231600000,'created',NULL,'survey','survey/01m9snkrc0e008050rbwb8rh89',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"csat"},"highest":{"number":"5"},"lowest":{"number":"1"},"name":{"text":"Customer satisfaction"},"question":{"text":"How satisfied are you with our answer?"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(12,'evt_01m9snkrc0e00805rzenv7p7m5',1797231600000,'created',NULL,'survey','survey/01m9snkrc0e00805j5npphp5r1',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"nps"},"highest":{"number":"10"},"lowest":{"number":"0"},"name":{"text":"Net promoter score"},"question":{"text":"How likely are you to recommend us, from 0 to 10?"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(13,'evt_01m9snkrc0e00806fbn25z4jmf',1797231600000,'created',NULL,'segment','segment/01m9snkrc0e008066v4bb61068',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"no-surveys"},"name":{"text":"Wants no surveys"},"object":{"text":"contact"},"rule":{"text":"contact.survey_consent == false"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(14,'evt_01m9snkrc0e00806s241xzg96f',1797231600000,'created',NULL,'segment','segment/01m9snkrc0e00806nv2t051yaa',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"unsubscribed"},"name":{"text":"Wants no marketing mails"},"object":{"text":"contact"},"rule":{"text":"contact.mail_consent == false"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(15,'evt_01m9snkrc0e008078ddhahbaws',1797231600000,'created',NULL,'segment','segment/01m9snkrc0e008070mp0v105mx',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"open-complaint"},"name":{"text":"Has an open complaint"},"object":{"text":"contact"},"rule":{"text":"ticket.category == \"complaint\" and ticket.status not in [\"solved\", \"closed\"]"},"source":{"text":"ticket"},"updated_at":{"time":"2026-12-14T07:00:00Z"},"via":{"text":"customer"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(16,'evt_01m9snkrc0e00807y0xzm35sp7',1797231600000,'created',NULL,'segment','segment/01m9snkrc0e00807qzqfh9zd0j',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"dormant-90-days"},"name":{"text":"No order for 90 days"},"object":{"text":"contact"},"rule":{"text":"contact.last_order_at is not empty and contact.last_order_at < now() - 90 days"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(17,'evt_01m9snkrc0e00808fag048smfe',1797231600000,'created',NULL,'segment','segment/01m9snkrc0e0080832n75qv9e7',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"external_id":{"text":"birthday-today"},"name":{"text":"Has birthday today"},"object":{"text":"contact"},"rule":{"text":"contact.birthday is not empty and contact.birthday + 12 months * (year(today()) - year(contact.birthday)) == today()"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'init',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(18,'evt_01m9snkrc0e00800dceg9tjh6v',1797231600000,'created',NULL,'contact','contact/01m9snkrc0e008007t7qbbw52x',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T07:00:00Z"},"email":{"text":"anna@a.example"},"external_id":{"text":"anna"},"life_cycle":{"text":"customer"},"locale":{"text":"en"},"mail_consent":{"yes_no":true},"name":{"text":"Anna"},"order_count":{"number":"0"},"survey_consent":{"yes_no":true},"tier":{"text":"standard"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'cli',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(19,'evt_01m9snkrc0e00800map2f44vnh',1797231600000,'created',NULL,'task','task/01m9snkrc0e00800b3wj58j2pe',NULL,NULL,NULL,'{"about":{"reference":"contact/01m9snkrc0e008007t7qbbw52x"},"assignee":{"reference":"queue/01m9snkrc0e00803hvq5f6zh2x"},"created_at":{"time":"2026-12-14T07:00:00Z"},"due_at":{"time":"2026-12-15T07:00:00Z"},"status":{"text":"open"},"title":{"text":"Call"},"updated_at":{"time":"2026-12-14T07:00:00Z"}}',NULL,'workflow/greet','run_01m9snkrc0e008003es8bf10h2','greet',1,0);
INSERT INTO "relata_event" VALUES(20,'evt_01m9ss1m00e00801c1tsgmy1kx',1797235200000,'created',NULL,'task','task/01m9ss1m00e0080146bs0n0nfa',NULL,NULL,NULL,'{"about":{"reference":"contact/01m9snkrc0e008007t7qbbw52x"},"assignee":{"reference":"queue/01m9snkrc0e00803hvq5f6zh2x"},"created_at":{"time":"2026-12-14T08:00:00Z"},"due_at":{"time":"2026-12-15T08:00:00Z"},"status":{"text":"open"},"title":{"text":"Call again"},"updated_at":{"time":"2026-12-14T08:00:00Z"}}',NULL,'workflow/greet','run_01m9snkrc0e008003es8bf10h2','greet',1,0);
INSERT INTO "relata_event" VALUES(21,'evt_01m9sskxy0e00800cv502qemt1',1797235800000,'created',NULL,'contact','contact/01m9sskxy0e008007nad18eqd8',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T08:10:00Z"},"email":{"text":"bert@a.example"},"external_id":{"text":"bert"},"life_cycle":{"text":"customer"},"locale":{"text":"en"},"mail_consent":{"yes_no":true},"name":{"text":"Bert"},"order_count":{"number":"0"},"survey_consent":{"yes_no":true},"tier":{"text":"standard"},"updated_at":{"time":"2026-12-14T08:10:00Z"}}',NULL,'cli',NULL,NULL,0,0);
INSERT INTO "relata_event" VALUES(22,'evt_01m9sskxy0e00800mma0w5s29g',1797235800000,'created',NULL,'task','task/01m9sskxy0e008008vkaskdx0g',NULL,NULL,NULL,'{"about":{"reference":"contact/01m9sskxy0e008007nad18eqd8"},"assignee":{"reference":"queue/01m9snkrc0e00803hvq5f6zh2x"},"created_at":{"time":"2026-12-14T08:10:00Z"},"due_at":{"time":"2026-12-15T08:10:00Z"},"status":{"text":"open"},"title":{"text":"Call"},"updated_at":{"time":"2026-12-14T08:10:00Z"}}',NULL,'workflow/greet','run_01m9sskxy0e008006c9sn1bw1e','greet',1,0);
INSERT INTO "relata_event" VALUES(23,'evt_01m9ssx2x0e00800a4rm4zfkwp',1797236100000,'created',NULL,'contact','contact/01m9ssx2x0e008005dmg7mbe9d',NULL,NULL,NULL,'{"created_at":{"time":"2026-12-14T08:15:00Z"},"email":{"text":"cleo@a.example"},"external_id":{"text":"cleo"},"life_cycle":{"text":"customer"},"locale":{"text":"en"},"mail_consent":{"yes_no":true},"name":{"text":"Cleo"},"order_count":{"number":"0"},"survey_consent":{"yes_no":true},"tier":{"text":"standard"},"updated_at":{"time":"2026-12-14T08:15:00Z"}}',NULL,'cli',NULL,NULL,0,1);
CREATE TABLE relata_event_about (
    record TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (record, seq)
);
CREATE TABLE relata_inbox (
    run_id TEXT NOT NULL REFERENCES relata_run (id),
    event_id TEXT NOT NULL,
    seq BIGINT NOT NULL,              -- of the event, for the order
    happening TEXT NOT NULL,          -- JSON
    consumed BIGINT NOT NULL,
    PRIMARY KEY (run_id, event_id)
);
CREATE TABLE relata_migration (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "relata_migration" VALUES(1,'first tables','2026-11-28 18:46:41',1,X'B5BB5E77C23B57799AB91C0EDF0FD81450C33FECA7FB33B04C62625EF5FFDD4F4907A7408D8699E0A7375B32F976804E',2513838);
CREATE TABLE relata_not_started (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow TEXT NOT NULL,
    event_id TEXT,
    record TEXT,
    enrolment_key TEXT,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE TABLE relata_outbox (
    effect_id TEXT PRIMARY KEY,
    run_id TEXT,
    workflow TEXT,
    step TEXT,
    kind TEXT NOT NULL,               -- mail, notice
    template TEXT,
    recipient TEXT,                   -- object/id
    body TEXT NOT NULL,               -- JSON
    status TEXT NOT NULL,             -- due, sending, sent, held, unknown, suppressed, failed
    reason TEXT,
    due_at BIGINT,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    receipt TEXT
);
CREATE TABLE relata_plugin_state (
    plugin TEXT NOT NULL,
    state_key TEXT NOT NULL,
    value TEXT NOT NULL,              -- JSON
    revision BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (plugin, state_key)
);
CREATE TABLE relata_run (
    id TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    subject TEXT,
    run_key TEXT,
    status TEXT NOT NULL,             -- active, ended
    outcome TEXT,                     -- done, stopped, failed, cancelled
    why TEXT,
    due_at BIGINT,
    was_due_at BIGINT,                -- before the claim
    priority BIGINT NOT NULL,         -- 0 first
    seq BIGINT NOT NULL,
    lease_owner TEXT,
    epoch BIGINT NOT NULL,
    lease_until BIGINT,
    crash_count BIGINT NOT NULL,
    cancel_requested TEXT,            -- why
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    snapshot TEXT NOT NULL            -- JSON of the engine's run
);
INSERT INTO "relata_run" VALUES('run_01m9snkrc0e008003es8bf10h2','greet','e37f55d1c7aa83846efc686809eca3852253f17cf7e4d728ae68b433235dff84','contact/01m9snkrc0e008007t7qbbw52x','contact/01m9snkrc0e008007t7qbbw52x','ended','done',NULL,NULL,1797235200000,1,6,NULL,2,NULL,0,NULL,1797231600000,1797235200000,'{"id":"run_01m9snkrc0e008003es8bf10h2","workflow":"greet","version":"e37f55d1c7aa83846efc686809eca3852253f17cf7e4d728ae68b433235dff84","subject":"contact/01m9snkrc0e008007t7qbbw52x","key":"contact/01m9snkrc0e008007t7qbbw52x","started_at":"2026-12-14T07:00:00Z","seq":6,"status":{"ended":"done"},"state":{"strands":{"":{"frames":[],"variables":{"contact":{"reference":"contact/01m9snkrc0e008007t7qbbw52x"},"first":{"map":{"task":{"reference":"task/01m9snkrc0e00800b3wj58j2pe"}}}},"done":{"first":{"step":0,"at":"2026-12-14T07:00:00Z"}}}},"depth":0}}');
INSERT INTO "relata_run" VALUES('run_01m9ss1m00e00800vgetr1p5w5','daily','c2025914a101bd944b9fbb088fc901fe17423dbbba42ed8fe2da7b8a14d7b6fc',NULL,NULL,'ended','done',NULL,NULL,1797235260000,1,4,NULL,2,NULL,0,NULL,1797235200000,1797235260000,'{"id":"run_01m9ss1m00e00800vgetr1p5w5","workflow":"daily","version":"c2025914a101bd944b9fbb088fc901fe17423dbbba42ed8fe2da7b8a14d7b6fc","subject":null,"key":null,"started_at":"2026-12-14T08:00:00Z","seq":4,"status":{"ended":"done"},"state":{"strands":{"":{"frames":[]}},"depth":0}}');
INSERT INTO "relata_run" VALUES('run_01m9sskxy0e008006c9sn1bw1e','greet','e37f55d1c7aa83846efc686809eca3852253f17cf7e4d728ae68b433235dff84','contact/01m9sskxy0e008007nad18eqd8','contact/01m9sskxy0e008007nad18eqd8','active',NULL,NULL,1797239400000,1797235800000,1,3,NULL,1,NULL,0,NULL,1797235800000,NULL,'{"id":"run_01m9sskxy0e008006c9sn1bw1e","workflow":"greet","version":"e37f55d1c7aa83846efc686809eca3852253f17cf7e4d728ae68b433235dff84","subject":"contact/01m9sskxy0e008007nad18eqd8","key":"contact/01m9sskxy0e008007nad18eqd8","started_at":"2026-12-14T08:10:00Z","seq":3,"status":"active","state":{"strands":{"":{"frames":[{"block":0,"next":1,"pending":{"waiting":{"began":"2026-12-14T08:10:00Z","until":"2026-12-14T09:10:00Z","watches":[]}}}],"variables":{"contact":{"reference":"contact/01m9sskxy0e008007nad18eqd8"},"first":{"map":{"task":{"reference":"task/01m9sskxy0e008008vkaskdx0g"}}}},"done":{"first":{"step":0,"at":"2026-12-14T08:10:00Z"}}}},"depth":0}}');
CREATE TABLE relata_schedule (
    workflow TEXT NOT NULL,
    trigger_no BIGINT NOT NULL,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    if_missed TEXT NOT NULL,          -- once, all, skip
    last_nominal BIGINT,
    next_at BIGINT,
    PRIMARY KEY (workflow, trigger_no)
);
INSERT INTO "relata_schedule" VALUES('daily',0,'0 0 9 * * * *','Europe/Berlin','once',1797235200000,1797321600000);
CREATE TABLE relata_schedule_fire (
    workflow TEXT NOT NULL,
    trigger_no BIGINT NOT NULL,
    nominal_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT NOT NULL,            -- fired, missed
    run_id TEXT,
    reason TEXT,
    PRIMARY KEY (workflow, trigger_no, nominal_at)
);
INSERT INTO "relata_schedule_fire" VALUES('daily',0,1797235200000,1797235200000,'fired','run_01m9ss1m00e00800vgetr1p5w5',NULL);
CREATE TABLE relata_setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL               -- JSON
);
INSERT INTO "relata_setting" VALUES('clock','"2026-12-14T08:15:00Z"');
INSERT INTO "relata_setting" VALUES('segments_due','"2026-12-14T07:00:00Z"');
CREATE TABLE relata_step_log (
    run_id TEXT NOT NULL REFERENCES relata_run (id),
    seq BIGINT NOT NULL,
    step TEXT NOT NULL,               -- path
    label TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    kind TEXT NOT NULL,
    input TEXT,                       -- JSON
    output TEXT,                      -- JSON
    explanation TEXT,                 -- JSON
    error TEXT,
    at BIGINT NOT NULL,
    cpu_us BIGINT NOT NULL,
    wait_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, seq)
);
INSERT INTO "relata_step_log" VALUES('run_01m9snkrc0e008003es8bf10h2',1,'','',1,'started',NULL,NULL,'"contact/01m9snkrc0e008007t7qbbw52x was created"',NULL,1797231600000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9snkrc0e008003es8bf10h2',2,'steps[0]','do: task.create',1,'done','{"due_in":"2026-12-15T07:00:00Z","record":"contact/01m9snkrc0e008007t7qbbw52x","title":"Call"}','{"task":"task/01m9snkrc0e00800b3wj58j2pe"}',NULL,NULL,1797231600000,0,15);
INSERT INTO "relata_step_log" VALUES('run_01m9snkrc0e008003es8bf10h2',3,'steps[1]','wait: 1 hour',1,'waiting',NULL,NULL,'"1 hour: until 2026-12-14 09:00"',NULL,1797231600000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9ss1m00e00800vgetr1p5w5',1,'','',1,'started',NULL,NULL,'"started"',NULL,1797235200000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9ss1m00e00800vgetr1p5w5',2,'steps[0]','wait: 1 minute',1,'waiting',NULL,NULL,'"1 minute: until 2026-12-14 09:01"',NULL,1797235200000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9snkrc0e008003es8bf10h2',4,'steps[1]','wait: 1 hour',1,'done',NULL,NULL,'"the time has come"',NULL,1797235200000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9snkrc0e008003es8bf10h2',5,'steps[2]','do: task.create',1,'done','{"due_in":"2026-12-15T08:00:00Z","record":"contact/01m9snkrc0e008007t7qbbw52x","title":"Call again"}','{"task":"task/01m9ss1m00e0080146bs0n0nfa"}',NULL,NULL,1797235200000,0,1);
INSERT INTO "relata_step_log" VALUES('run_01m9snkrc0e008003es8bf10h2',6,'','',1,'ended',NULL,NULL,'"all steps are done"',NULL,1797235200000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9ss1m00e00800vgetr1p5w5',3,'steps[0]','wait: 1 minute',1,'done',NULL,NULL,'"the time has come"',NULL,1797235260000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9ss1m00e00800vgetr1p5w5',4,'','',1,'ended',NULL,NULL,'"all steps are done"',NULL,1797235260000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9sskxy0e008006c9sn1bw1e',1,'','',1,'started',NULL,NULL,'"contact/01m9sskxy0e008007nad18eqd8 was created"',NULL,1797235800000,0,0);
INSERT INTO "relata_step_log" VALUES('run_01m9sskxy0e008006c9sn1bw1e',2,'steps[0]','do: task.create',1,'done','{"due_in":"2026-12-15T08:10:00Z","record":"contact/01m9sskxy0e008007nad18eqd8","title":"Call"}','{"task":"task/01m9sskxy0e008008vkaskdx0g"}',NULL,NULL,1797235800000,1000,1);
INSERT INTO "relata_step_log" VALUES('run_01m9sskxy0e008006c9sn1bw1e',3,'steps[1]','wait: 1 hour',1,'waiting',NULL,NULL,'"1 hour: until 2026-12-14 10:10"',NULL,1797235800000,0,0);
CREATE TABLE relata_waiter (
    topic TEXT NOT NULL,
    topic_key TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES relata_run (id),
    PRIMARY KEY (topic, topic_key, run_id)
);
CREATE TABLE relata_workflow (
    name TEXT PRIMARY KEY,
    active_digest TEXT REFERENCES relata_workflow_version (digest),
    activated_at BIGINT,
    activated_by TEXT,
    deactivated_at BIGINT,
    changes BIGINT NOT NULL           -- counts activations and deactivations
);
INSERT INTO "relata_workflow" VALUES('greet','e37f55d1c7aa83846efc686809eca3852253f17cf7e4d728ae68b433235dff84',1797231600000,'cli',NULL,1);
INSERT INTO "relata_workflow" VALUES('daily','c2025914a101bd944b9fbb088fc901fe17423dbbba42ed8fe2da7b8a14d7b6fc',1797231600000,'cli',NULL,1);
CREATE TABLE relata_workflow_version (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,             -- the YAML
    compiled TEXT NOT NULL,           -- JSON
    at BIGINT NOT NULL
);
INSERT INTO "relata_workflow_version" VALUES('e37f55d1c7aa83846efc686809eca3852253f17cf7e4d728ae68b433235dff84','greet','workflow: greet
when:
  - created: contact
repeat:
  one_per: contact
  again_after: never
steps:
  - do: task.create
    title: Call
    record: =contact
    due_in: 1 day
    as: first
  - wait: 1 hour
  - do: task.create
    title: Call again
    record: =contact
    due_in: 1 day
','{"name":"greet","title":"greet","owner":null,"calendar":null,"subject":"contact","triggers":[{"occurrence":{"created":{"object":"contact"}}}],"only_if":[],"never_for":[],"repeat":{"one_per":{"source":"contact","line":5,"column":12,"nodes":[{"start":0,"end":7,"kind":{"variable":"contact"}}],"root":0},"again_after":null,"counted_from":null,"while_running":"ignore"},"stop_when":[],"send_in":null,"hold_above":null,"steps":[{"id":0,"path":"steps[0]","label":"do: task.create","line":8,"name":"first","kind":{"do":{"action":"task.create","input":[{"name":"title","value":{"literal":{"text":"Call"}},"conversion":"plain"},{"name":"record","value":{"formula":{"source":"contact","line":10,"column":14,"nodes":[{"start":0,"end":7,"kind":{"variable":"contact"}}],"root":0}},"conversion":{"reference":{"objects":[]}}},{"name":"due_in","value":{"literal":{"duration":{"days":1}}},"conversion":"due"}],"retry":{"times":3,"first_ms":5000,"longest_ms":3600000},"if_it_fails":null,"exclusive":null,"correlation":[],"output":{"map":{"task":{"kind":{"record":["task"]},"optional":false}}}}}},{"id":1,"path":"steps[1]","label":"wait: 1 hour","line":13,"name":null,"kind":{"wait":{"duration":{"literal":{"duration":{"millis":3600000}}},"resume_in":null}}},{"id":2,"path":"steps[2]","label":"do: task.create","line":14,"name":null,"kind":{"do":{"action":"task.create","input":[{"name":"title","value":{"literal":{"text":"Call again"}},"conversion":"plain"},{"name":"record","value":{"formula":{"source":"contact","line":16,"column":14,"nodes":[{"start":0,"end":7,"kind":{"variable":"contact"}}],"root":0}},"conversion":{"reference":{"objects":[]}}},{"name":"due_in","value":{"literal":{"duration":{"days":1}}},"conversion":"due"}],"retry":{"times":3,"first_ms":5000,"longest_ms":3600000},"if_it_fails":null,"exclusive":null,"correlation":[],"output":{"map":{"task":{"kind":{"record":["task"]},"optional":false}}}}}}],"blocks":[[0,1,2]],"main":0,"on_error":null}',1797231600000);
INSERT INTO "relata_workflow_version" VALUES('c2025914a101bd944b9fbb088fc901fe17423dbbba42ed8fe2da7b8a14d7b6fc','daily','workflow: daily
when:
  - schedule: daily at 09:00
    time_zone: Europe/Berlin
steps:
  - wait: 1 minute
','{"name":"daily","title":"daily","owner":null,"calendar":null,"subject":null,"triggers":[{"schedule":{"cron":"0 0 9 * * * *","written":"daily at 09:00","time_zone":"Europe/Berlin","if_missed":"once"}}],"only_if":[],"never_for":[],"repeat":null,"stop_when":[],"send_in":null,"hold_above":null,"steps":[{"id":0,"path":"steps[0]","label":"wait: 1 minute","line":6,"name":null,"kind":{"wait":{"duration":{"literal":{"duration":{"millis":60000}}},"resume_in":null}}}],"blocks":[[0]],"main":0,"on_error":null}',1797231600000);
CREATE TABLE "segment" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "object" TEXT, "rule" TEXT, "source" TEXT, "via" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
INSERT INTO "segment" VALUES('01m9snkrc0e008066v4bb61068',1,'Wants no surveys','contact','contact.survey_consent == false',NULL,NULL,'no-surveys',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "segment" VALUES('01m9snkrc0e00806nv2t051yaa',1,'Wants no marketing mails','contact','contact.mail_consent == false',NULL,NULL,'unsubscribed',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "segment" VALUES('01m9snkrc0e008070mp0v105mx',1,'Has an open complaint','contact','ticket.category == "complaint" and ticket.status not in ["solved", "closed"]','ticket','customer','open-complaint',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "segment" VALUES('01m9snkrc0e00807qzqfh9zd0j',1,'No order for 90 days','contact','contact.last_order_at is not empty and contact.last_order_at < now() - 90 days',NULL,NULL,'dormant-90-days',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "segment" VALUES('01m9snkrc0e0080832n75qv9e7',1,'Has birthday today','contact','contact.birthday is not empty and contact.birthday + 12 months * (year(today()) - year(contact.birthday)) == today()',NULL,NULL,'birthday-today',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
CREATE TABLE "segment_member" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "segment" TEXT, "member" TEXT, "by_hand" BIGINT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "survey" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "question" TEXT, "lowest" BIGINT, "highest" BIGINT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
INSERT INTO "survey" VALUES('01m9snkrc0e008050rbwb8rh89',1,'Customer satisfaction','How satisfied are you with our answer?',1,5,'csat',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "survey" VALUES('01m9snkrc0e00805j5npphp5r1',1,'Net promoter score','How likely are you to recommend us, from 0 to 10?',0,10,'nps',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
CREATE TABLE "survey_response" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "survey" TEXT, "contact" TEXT, "about" TEXT, "sent_at" BIGINT, "answered_at" BIGINT, "score" BIGINT, "comment" TEXT, "reason" TEXT, "status" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "task" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "title" TEXT, "about" TEXT, "assignee" TEXT, "due_at" BIGINT, "done_at" BIGINT, "status" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
INSERT INTO "task" VALUES('01m9snkrc0e00800b3wj58j2pe',1,'Call','contact/01m9snkrc0e008007t7qbbw52x','queue/01m9snkrc0e00803hvq5f6zh2x',1797318000000,NULL,'open',NULL,NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "task" VALUES('01m9ss1m00e0080146bs0n0nfa',1,'Call again','contact/01m9snkrc0e008007t7qbbw52x','queue/01m9snkrc0e00803hvq5f6zh2x',1797321600000,NULL,'open',NULL,NULL,NULL,NULL,1797235200000,1797235200000,NULL);
INSERT INTO "task" VALUES('01m9sskxy0e008008vkaskdx0g',1,'Call','contact/01m9sskxy0e008007nad18eqd8','queue/01m9snkrc0e00803hvq5f6zh2x',1797322200000,NULL,'open',NULL,NULL,NULL,NULL,1797235800000,1797235800000,NULL);
CREATE TABLE "team" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "lead" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
INSERT INTO "team" VALUES('01m9snkrc0e00801jyc27c94an',1,'Enterprise',NULL,'enterprise',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "team" VALUES('01m9snkrc0e008022d6sptk2pj',1,'Germany, Austria, Switzerland',NULL,'dach',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "team" VALUES('01m9snkrc0e00802gmem9vbhj4',1,'International',NULL,'international',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
INSERT INTO "team" VALUES('01m9snkrc0e008031fxv0mbr23',1,'Support',NULL,'support',NULL,NULL,NULL,1797231600000,1797231600000,NULL);
CREATE TABLE "ticket" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "ref" TEXT, "customer" TEXT, "subject" TEXT, "body" TEXT, "channel" TEXT, "type" TEXT, "category" TEXT, "priority" TEXT, "queue" TEXT, "required_skills" TEXT, "sentiment" NUMERIC, "reply_due_at" BIGINT, "first_reply_at" BIGINT, "solved_at" BIGINT, "status" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE TABLE "user" ( "id" TEXT NOT NULL PRIMARY KEY, "revision" BIGINT NOT NULL, "name" TEXT, "email" TEXT, "manager" TEXT, "roles" TEXT, "weight" NUMERIC, "skills" TEXT, "capacity" BIGINT, "presence" TEXT, "absences" TEXT, "active" BIGINT, "calendar" TEXT, "external_id" TEXT, "owner" TEXT, "team" TEXT, "tags" TEXT, "created_at" BIGINT, "updated_at" BIGINT, "merged_into" TEXT );
CREATE INDEX relata_event_pending ON relata_event (seq) WHERE pending = 1;
CREATE INDEX relata_event_by_record ON relata_event (record, seq);
CREATE INDEX relata_event_by_run ON relata_event (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX relata_workflow_version_by_name ON relata_workflow_version (name, at);
CREATE INDEX relata_run_due ON relata_run (priority, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX relata_run_due_at ON relata_run (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX relata_run_by_workflow ON relata_run (workflow, id);
CREATE INDEX relata_run_by_subject ON relata_run (subject, id);
CREATE INDEX relata_waiter_by_run ON relata_waiter (run_id);
CREATE INDEX relata_outbox_due ON relata_outbox (due_at, effect_id) WHERE status = 'due';
CREATE INDEX relata_outbox_by_workflow ON relata_outbox (workflow, status, sent_at);
CREATE INDEX relata_outbox_by_run ON relata_outbox (run_id);
CREATE INDEX relata_outbox_by_recipient ON relata_outbox (recipient, created_at);
CREATE INDEX relata_schedule_due ON relata_schedule (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX relata_enrolment_by_run ON relata_enrolment (run_id);
CREATE INDEX relata_not_started_by_workflow ON relata_not_started (workflow, record, seq);
CREATE INDEX relata_not_started_by_record ON relata_not_started (record, seq);
CREATE UNIQUE INDEX "account_unique_external_id" ON "account" ("external_id");
CREATE UNIQUE INDEX "approval_unique_external_id" ON "approval" ("external_id");
CREATE INDEX "approval_by_status_asked" ON "approval" ("status", "asked");
CREATE INDEX "approval_by_status_role" ON "approval" ("status", "role");
CREATE INDEX "approval_by_about" ON "approval" ("about");
CREATE UNIQUE INDEX "calendar_unique_external_id" ON "calendar" ("external_id");
CREATE UNIQUE INDEX "campaign_unique_external_id" ON "campaign" ("external_id");
CREATE UNIQUE INDEX "contact_unique_email" ON "contact" ("email");
CREATE UNIQUE INDEX "contact_unique_external_id" ON "contact" ("external_id");
CREATE INDEX "contact_by_last_order_at" ON "contact" ("last_order_at");
CREATE UNIQUE INDEX "contract_unique_external_id" ON "contract" ("external_id");
CREATE INDEX "contract_by_contact" ON "contract" ("contact");
CREATE INDEX "contract_by_owner_status" ON "contract" ("owner", "status");
CREATE UNIQUE INDEX "interaction_unique_external_id" ON "interaction" ("external_id");
CREATE INDEX "interaction_by_about" ON "interaction" ("about");
CREATE INDEX "interaction_by_mail" ON "interaction" ("mail");
CREATE UNIQUE INDEX "lead_unique_external_id" ON "lead" ("external_id");
CREATE INDEX "lead_by_email" ON "lead" ("email");
CREATE INDEX "lead_by_owner_status" ON "lead" ("owner", "status");
CREATE UNIQUE INDEX "message_unique_external_id" ON "message" ("external_id");
CREATE INDEX "message_by_ticket" ON "message" ("ticket");
CREATE UNIQUE INDEX "opportunity_unique_external_id" ON "opportunity" ("external_id");
CREATE INDEX "opportunity_by_owner_stage" ON "opportunity" ("owner", "stage");
CREATE UNIQUE INDEX "order_unique_external_id" ON "order" ("external_id");
CREATE UNIQUE INDEX "order_unique_ref" ON "order" ("ref");
CREATE INDEX "order_by_contact" ON "order" ("contact");
CREATE UNIQUE INDEX "queue_unique_external_id" ON "queue" ("external_id");
CREATE UNIQUE INDEX "segment_unique_external_id" ON "segment" ("external_id");
CREATE UNIQUE INDEX "segment_member_unique_external_id" ON "segment_member" ("external_id");
CREATE INDEX "segment_member_by_segment_member" ON "segment_member" ("segment", "member");
CREATE INDEX "segment_member_by_member" ON "segment_member" ("member");
CREATE UNIQUE INDEX "survey_unique_external_id" ON "survey" ("external_id");
CREATE UNIQUE INDEX "survey_response_unique_external_id" ON "survey_response" ("external_id");
CREATE INDEX "survey_response_by_contact_status" ON "survey_response" ("contact", "status");
CREATE UNIQUE INDEX "task_unique_external_id" ON "task" ("external_id");
CREATE INDEX "task_by_assignee_status" ON "task" ("assignee", "status");
CREATE INDEX "task_by_about" ON "task" ("about");
CREATE UNIQUE INDEX "team_unique_external_id" ON "team" ("external_id");
CREATE UNIQUE INDEX "ticket_unique_external_id" ON "ticket" ("external_id");
CREATE UNIQUE INDEX "ticket_unique_ref" ON "ticket" ("ref");
CREATE INDEX "ticket_by_customer_status" ON "ticket" ("customer", "status");
CREATE INDEX "ticket_by_owner_status" ON "ticket" ("owner", "status");
CREATE UNIQUE INDEX "user_unique_email" ON "user" ("email");
CREATE UNIQUE INDEX "user_unique_external_id" ON "user" ("external_id");
CREATE INDEX "user_by_team" ON "user" ("team");
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('relata_event',23);
COMMIT;
