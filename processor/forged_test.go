package processor_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestForgedCommand: a command that names a fact and was not signed by hongbao is a dead letter, whatever it copies;
// a genuine one that is sent again changes nothing; nothing is issued but what facts granted.
func TestForgedCommand(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	f.start("a")
	d := f.feed()
	chain := f.chainIn(1, 0)
	d.put(d.share(1, chain, chain), d.join(1, chain, chain, 500), d.join(1, chain, chain, 501))
	before := f.mustVerify()
	genuine := f.read(schemas.TopicCommands)
	if len(genuine) == 0 || before.Coupons["COMPLETED"] != int64(len(genuine)) {
		t.Fatalf("%d commands, coupons %v", len(genuine), before.Coupons)
	}
	send := func(change func(c *schemas.Command)) {
		var c schemas.Command
		if err := c.Decode(genuine[0].Value); err != nil {
			t.Fatal(err)
		}
		change(&c)
		d.put(d.record(schemas.TopicCommands, strconv.FormatInt(chain, 10), schemas.AppendCommand(nil, &c)))
	}
	forgeries := []func(c *schemas.Command){
		func(c *schemas.Command) { c.CouponID[0]++ },
		func(c *schemas.Command) { c.CouponID[0]++; c.MAC = nil },
		func(c *schemas.Command) { c.Beneficiary, c.CouponID[1] = 666, 1 },
		func(c *schemas.Command) { c.ValueMinor, c.CouponID[2] = 1_000_000, 1 },
		func(c *schemas.Command) { c.MAC = append([]byte{77}, make([]byte, 10)...); c.CouponID[3]++ },
		func(c *schemas.Command) { c.FactSeq = 1 << 40; c.CouponID[4]++ },
		func(c *schemas.Command) { c.MAC = nil }, // in the words of one that was executed
	}
	for _, change := range forgeries {
		send(change)
	}
	d.put(&kgo.Record{
		Topic: genuine[0].Topic, Partition: 1, Key: []byte(strconv.FormatInt(chain, 10)),
		Value: []byte(`{"campaign": 1, "chain": ` + strconv.FormatInt(chain, 10) + `, "beneficiary": 7, "coupon": "five_off", "fact_seq": 3, "coupon_id": "AAAAAAAAAAAAAAAAAAAAAA=="}`),
	})
	f.await("the forgeries to be buried", func() bool { return len(f.letters(schemas.TopicCouponDead)) == len(forgeries)+1 })
	after := f.mustVerify()
	if after.Coupons["COMPLETED"] != before.Coupons["COMPLETED"] || len(after.Coupons) != 1 {
		t.Errorf("coupons %v before and %v after", before.Coupons, after.Coupons)
	}
	for _, l := range f.letters(schemas.TopicCouponDead) {
		if l.Reason != pb.Reason_REASON_INVALID_FIELD || !strings.Contains(l.Sentence, "did not sign") || l.OriginTopic != schemas.TopicCommands.String() {
			t.Errorf("letter %v", l)
		}
	}
}
