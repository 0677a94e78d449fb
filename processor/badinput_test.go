package processor_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// bad is a record that can get no verdict, and the dead letter that it must become.
type bad struct {
	record   *kgo.Record
	reason   pb.Reason
	sentence string // a part of it
}

// badInputs are one of each kind, all for partition p; chain's key belongs to it.
func badInputs(d *feed, p int32, chain int64) map[string]bad {
	stranger := d.f.chainIn((p+1)%d.f.partitions, 0)
	in := func(r *kgo.Record) *kgo.Record { r.Partition = p; return r }
	garbage := d.join(1, chain, chain, 901)
	garbage.Value = []byte("\xff\xfe no message")
	large := d.join(1, chain, chain, 902)
	large.Value = bytes.Repeat([]byte("large"), 2<<20/5)
	keyless := d.join(1, chain, chain, 903)
	keyless.Key = nil
	otherKey := d.join(1, chain, chain, 904)
	otherKey.Key = []byte("0" + strconv.FormatInt(chain, 10))
	kind := d.join(1, chain, chain, 905)
	kind.Headers[3].Value = []byte("hongbao.invite.v1.Nothing")
	future := d.event("ShareCreated", chain, &pb.ShareCreated{
		EventTimeMs: time.Now().Add(time.Hour).UnixMilli(), Campaign: 1, Chain: chain, User: chain, Code: d.code(1, chain, chain),
	})
	unknown := d.event("PurchaseSettled", chain, &pb.PurchaseSettled{
		EventTimeMs: d.nowMS, Campaign: 77, Chain: chain, Buyer: chain, OrderId: "o", AmountMinor: 1, Currency: "CNY",
	})
	code := d.event("InviteJoined", chain, &pb.InviteJoined{EventTimeMs: d.nowMS, Code: "no-code", Invitee: 906})
	zero := d.join(1, chain, chain, 0)
	return map[string]bad{
		"garbage":          {in(garbage), pb.Reason_REASON_UNDECODABLE, "InviteJoined"},
		"2 MiB":            {in(large), pb.Reason_REASON_TOO_LARGE, strconv.Itoa(len(large.Value))},
		"no key":           {in(keyless), pb.Reason_REASON_NO_KEY, strconv.FormatInt(chain, 10)},
		"another key":      {in(otherKey), pb.Reason_REASON_MISROUTED, "decimal"},
		"wrong partition":  {in(d.join(1, stranger, stranger, 907)), pb.Reason_REASON_MISROUTED, fmt.Sprintf("the record is in %d", p)},
		"unknown type":     {in(kind), pb.Reason_REASON_UNKNOWN_TYPE, "Nothing"},
		"future time":      {in(future), pb.Reason_REASON_FUTURE_TIME, "300 s"},
		"unknown campaign": {in(unknown), pb.Reason_REASON_UNKNOWN_CAMPAIGN, "77"},
		"bad code":         {in(code), pb.Reason_REASON_BAD_CODE, "no-code"},
		"no invitee":       {in(zero), pb.Reason_REASON_INVALID_FIELD, "invitee"},
	}
}

// TestBadInput: what can get no verdict is one record of invite.dead each, with origin and reason; nothing
// stops, and the good events around it are judged (domain.md section 2, X3).
func TestBadInput(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4))
	x := f.start("a")
	d := f.feed()
	const p = 2
	chain := f.chainIn(p, 0)
	all := badInputs(d, p, chain)
	d.put(d.share(1, chain, chain))
	invitee := int64(1000)
	for _, b := range all {
		invitee++
		d.put(d.join(1, chain, chain, invitee), b.record)
	}
	d.put(d.join(1, chain, chain, 2000))
	r := f.mustVerify()
	if r.Dead != int64(len(all)) || r.JoinsAccepted != int64(len(all))+1 {
		t.Errorf("%d dead letters of %d bad records, %d joins of %d", r.Dead, len(all), r.JoinsAccepted, len(all)+1)
	}
	if s := x.x.Status(); len(s.Stopped) > 0 || len(s.Working) != 4 {
		t.Errorf("stopped %v, working %v", s.Stopped, s.Working)
	}
	byOffset := map[int64]*pb.DeadLetter{}
	for _, l := range f.letters(schemas.TopicInviteDead) {
		if l.OriginTopic != schemas.TopicEvents.String() || l.OriginPartition != p {
			t.Errorf("origin %s[%d], want %s[%d]", l.OriginTopic, l.OriginPartition, schemas.TopicEvents, p)
		}
		byOffset[l.OriginOffset] = l
	}
	for name, b := range all {
		checkLetter(t, name, b, byOffset[b.record.Offset])
	}
}

func checkLetter(t *testing.T, name string, b bad, l *pb.DeadLetter) {
	t.Helper()
	if l == nil {
		t.Errorf("%s: no dead letter names offset %d", name, b.record.Offset)
		return
	}
	if l.Reason != b.reason || !strings.Contains(l.Sentence, b.sentence) {
		t.Errorf("%s: %s %q; want %s with %q", name, l.Reason, l.Sentence, b.reason, b.sentence)
	}
	if l.ValueBytes != int64(len(b.record.Value)) {
		t.Errorf("%s: %d bytes, the record had %d", name, l.ValueBytes, len(b.record.Value))
	}
	sum := sha256.Sum256(b.record.Value)
	if whole := bytes.Equal(l.Value, b.record.Value) && bytes.Equal(l.Key, b.record.Key); !whole && !bytes.Equal(l.ValueSha256, sum[:]) {
		t.Errorf("%s: neither the record nor its hash", name)
	}
}
