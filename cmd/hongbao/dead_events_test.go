package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// eventJSON is a purchase in structured mode; its chain is its key.
func eventJSON(id string, campaign, chain int64) topiclog.Record {
	return topiclog.Record{Key: schemas.AppendKey(nil, chain), Value: fmt.Appendf(nil,
		`{"specversion":"1.0","id":%q,"source":"/shop","type":"hongbao.invite.v1.PurchaseSettled","data":{"event_time_ms":1700000000000,"campaign":%d,"chain":%d,"buyer":%d,"order_id":%q,"amount_minor":100,"currency":"CNY"}}`,
		id, campaign, chain, chain, id)}
}

// eventBinary is the same in binary mode, which its headers make.
func eventBinary(id string, campaign, chain int64) topiclog.Record {
	header := func(key, value string) topiclog.Header { return topiclog.Header{Key: key, Value: []byte(value)} }
	return topiclog.Record{
		Key: schemas.AppendKey(nil, chain),
		Headers: []topiclog.Header{
			header("ce_specversion", "1.0"), header("ce_id", id), header("ce_source", "/shop"),
			header("ce_type", "hongbao.invite.v1.PurchaseSettled"), header("content-type", "application/json"),
		},
		Value: fmt.Appendf(nil, `{"event_time_ms":1700000000000,"campaign":%d,"chain":%d,"buyer":%d,"order_id":%q,"amount_minor":100,"currency":"CNY"}`,
			campaign, chain, chain, id),
	}
}

func (s *stage) deadEvents(args ...string) map[string]*deadEvent {
	s.t.Helper()
	var l deadEventsAnswer
	s.must(&l, append([]string{"dead", "list", "--events"}, args...)...)
	byID := map[string]*deadEvent{}
	for _, e := range l.Events {
		byID[e.ID+"/"+e.Reason] = e
	}
	return byID
}

// domain.md section 2: what names an unknown campaign waits in invite.dead until its file is deployed.
func TestDeadEvents(t *testing.T) {
	t.Parallel()
	s := newStage(t, testKeys, "HONGBAO_CAMPAIGNS="+filepath.Join(t.TempDir(), "seven.yaml"))
	seven := strings.TrimPrefix(s.env[1], "HONGBAO_CAMPAIGNS=")
	if err := os.WriteFile(seven, []byte(campaignText(7, 1, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	good := eventJSON("e1", 8, 55)
	s.write(schemas.TopicEvents, good, good, eventBinary("e2", 8, 56), eventJSON("e3", 9, 57),
		topiclog.Record{Key: []byte("58"), Value: []byte("nonsense")},
		topiclog.Record{Partition: 3, Value: eventJSON("e4", 7, 58).Value})
	astray := eventJSON("e5", 7, 59)
	astray.Partition = (schemas.Partition(astray.Key, partitions) + 1) % partitions
	s.writeTo(schemas.TopicEvents, astray)
	s.serve("a")
	s.until("every dead letter", func() bool { return len(s.deadEvents()) == 6 })

	dead := s.deadEvents()
	if e := dead["e1/UNKNOWN_CAMPAIGN"]; e.Times != 2 || !e.Redrivable || e.Source != "/shop" || e.Key != "55" || e.OriginTopic != "invite.events" {
		t.Errorf("an event that died twice: %+v", e)
	}
	if e := dead["/UNKNOWN_TYPE"]; e == nil || !e.Redrivable {
		t.Errorf("nonsense: %v", e)
	}
	keyless := dead["e4/NO_KEY"]
	if keyless.Redrivable || len(s.deadEvents("--reason", "NO_KEY")) != 1 {
		t.Errorf("without key: %+v", keyless)
	}
	s.refused("cannot be sent again", "dead", "redrive", "--events", "--letter", keyless.Letter)
	s.refused("has that name", "dead", "redrive", "--events", "--letter", "0/99")
	s.refused("and not both", "dead", "redrive", "--events")
	s.refused("--all without --reason", "dead", "redrive", "--events", "--all")
	s.refused("choose coupons", "dead", "redrive", "--events", "--all", "--reason", "NO_KEY", "--campaign", "7")

	var sent deadEventsAnswer
	s.must(&sent, "dead", "redrive", "--events", "--letter", dead["e3/UNKNOWN_CAMPAIGN"].Letter)
	if *sent.Sent != 1 || !*sent.OK {
		t.Errorf("one letter: %+v", sent)
	}
	s.until("it dies again, for its campaign is still unknown", func() bool { return s.deadEvents()["e3/UNKNOWN_CAMPAIGN"].Times == 2 })

	s.must(nil, "dead", "redrive", "--events", "--all", "--reason", "MISROUTED")
	s.until("the astray event is judged where it belongs", func() bool { return s.deadEvents()["e5/MISROUTED"] == nil })

	s.must(nil, "campaign", "apply", s.file("eight.yaml", campaignText(8, 1, 1)))
	s.must(&sent, "dead", "redrive", "--events", "--all", "--reason", "UNKNOWN_CAMPAIGN")
	if *sent.Sent != 3 {
		t.Errorf("sent %+v, want e1 once, e2 and e3", sent)
	}
	s.until("the events of campaign 8 are judged", func() bool {
		dead := s.deadEvents()
		return dead["e1/UNKNOWN_CAMPAIGN"] == nil && dead["e2/UNKNOWN_CAMPAIGN"] == nil && dead["e3/UNKNOWN_CAMPAIGN"].Times == 3 && len(dead) == 3
	})
	s.verified()
}

// verified waits until verify finds that everything is as it should be, what people decided included.
func (s *stage) verified() {
	s.t.Helper()
	s.until("verify finds nothing wrong and nothing that waits", func() bool {
		code, out, _ := start(s.t, s.env, "verify")
		if strings.Contains(out, "BROKEN") {
			s.t.Fatal(out)
		}
		return code == exitDone
	})
}

// domain.md section 6: FAILED for want of stock, topped up, issued after all. And what nobody can carry out is listed.
func TestTopUpAndRedrive(t *testing.T) {
	t.Parallel()
	s := newStage(t, testKeys, "HONGBAO_CAMPAIGNS="+filepath.Join(t.TempDir(), "seven.yaml"))
	if err := os.WriteFile(strings.TrimPrefix(s.env[1], "HONGBAO_CAMPAIGNS="), []byte(campaignText(7, 1, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(id string, campaign int64) topiclog.Record {
		return topiclog.Record{Key: []byte("99"), Value: fmt.Appendf(nil, `{"campaign":%d,"chain":99,"beneficiary":5,"coupon":"gift","command_id":%q}`, campaign, id)}
	}
	s.write(schemas.TopicCommands, command("one", 7), command("two", 7), command("three", 7), command("four", 6))
	s.serve("a")
	failed := func() map[string]string { return s.states("dead", "list", "--reason", "OUT_OF_STOCK") }
	s.until("two of three fail", func() bool { return len(failed()) == 2 })

	var l deadAnswer
	s.must(&l, "dead", "list")
	if len(l.Coupons) != 0 || len(l.Records) != 1 || l.Records[0].Reason != "UNKNOWN_CAMPAIGN" || l.Records[0].OriginTopic != "coupon.commands" {
		t.Errorf("dead: %+v", l)
	}
	redrive := func() {
		s.must(nil, "dead", "redrive", "--all", "--reason", "OUT_OF_STOCK", "--campaign", "7", "--operator", "ops", "--note", "topped up")
	}
	before := s.moves()
	redrive()
	s.until("both fail again", func() bool { return s.moves() == before+4 && len(failed()) == 2 })
	s.must(nil, "campaign", "top-up", "7", "--coupon", "gift", "--stock", "2", "--reason", "more")
	// The issuer hears of the stock after the fact is committed, so the first try may still come too early.
	s.until("all are issued", func() bool {
		redrive()
		for _, state := range s.transitions() {
			if state != "COMPLETED" {
				return false
			}
		}
		return true
	})
	s.verified()
}
