package processor_test

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// feed writes single records, good and bad ones, and knows their offsets.
type feed struct {
	f       *fleet
	cl      *kgo.Client
	nowMS   int64
	expires int64
	next    atomic.Int64 // of event ids
}

func (f *fleet) feed() *feed {
	f.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<20-1<<10))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(cl.Close)
	return &feed{f: f, cl: cl, nowMS: time.Now().UnixMilli(), expires: schemas.DemoCampaign().EndsMS / 1000}
}

// put writes records, all at once, and returns when each is acknowledged with its offset.
func (d *feed) put(rs ...*kgo.Record) {
	d.f.t.Helper()
	if err := d.cl.ProduceSync(d.f.t.Context(), rs...).FirstErr(); err != nil {
		d.f.t.Fatal(err)
	}
}

// record is one of a topic in the partition of its key.
func (d *feed) record(t schemas.Topic, key string, value []byte, headers ...kgo.RecordHeader) *kgo.Record {
	return &kgo.Record{
		Topic: d.f.topics.Name(t), Partition: schemas.Partition([]byte(key), d.f.partitions), Key: []byte(key), Value: value, Headers: headers,
	}
}

func (d *feed) event(kind string, chain int64, m proto.Message) *kgo.Record {
	d.f.t.Helper()
	h := func(k, v string) kgo.RecordHeader { return kgo.RecordHeader{Key: k, Value: []byte(v)} }
	return d.record(schemas.TopicEvents, strconv.FormatInt(chain, 10), d.bytes(m), h("ce_specversion", "1.0"),
		h("ce_id", strconv.FormatInt(d.next.Add(1), 10)), h("ce_source", "test"), h("ce_type", "hongbao.invite.v1."+kind))
}

func (d *feed) bytes(m proto.Message) []byte {
	d.f.t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		d.f.t.Fatal(err)
	}
	return b
}

func (d *feed) code(campaign, chain, inviter int64) string {
	return d.f.keys.Mint(schemas.Code{Campaign: campaign, Chain: chain, Inviter: inviter, ExpiresS: d.expires})
}

func (d *feed) share(campaign, chain, user int64) *kgo.Record {
	return d.event("ShareCreated", chain, &pb.ShareCreated{
		EventTimeMs: d.nowMS, Campaign: campaign, Chain: chain, User: user, Code: d.code(campaign, chain, user),
	})
}

func (d *feed) join(campaign, chain, inviter, invitee int64) *kgo.Record {
	return d.event("InviteJoined", chain, &pb.InviteJoined{EventTimeMs: d.nowMS, Code: d.code(campaign, chain, inviter), Invitee: invitee})
}

func (d *feed) purchase(chain, buyer int64, order string) *kgo.Record {
	return d.event("PurchaseSettled", chain, &pb.PurchaseSettled{
		EventTimeMs: d.nowMS, Campaign: 1, Chain: chain, Buyer: buyer, OrderId: order, AmountMinor: 5000, Currency: "CNY",
	})
}

func (d *feed) reversal(chain int64, order string) *kgo.Record {
	return d.event("PurchaseReversed", chain, &pb.PurchaseReversed{EventTimeMs: d.nowMS, Campaign: 1, Chain: chain, OrderId: order})
}

// chainIn is the n-th small chain id whose key belongs to partition p.
func (f *fleet) chainIn(p int32, n int) int64 {
	for id := int64(1); ; id++ {
		if schemas.Partition(schemas.AppendKey(nil, id), f.partitions) != p {
			continue
		}
		if n--; n < 0 {
			return id
		}
	}
}

// read returns the committed records of a topic.
func (f *fleet) read(t schemas.Topic) []*topiclog.Record {
	f.t.Helper()
	var all []*topiclog.Record
	err := f.topics.Read(f.t.Context(), t, topiclog.ReadOptions{}, func(r *topiclog.Record) error {
		all = append(all, r)
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// letters are the dead letters of a topic.
func (f *fleet) letters(t schemas.Topic) []*pb.DeadLetter {
	f.t.Helper()
	var all []*pb.DeadLetter
	for _, r := range f.read(t) {
		d := new(pb.DeadLetter)
		f.decode(r.Value, d)
		all = append(all, d)
	}
	return all
}

// facts are those of all partitions as generated messages.
func (f *fleet) facts() []*pb.Fact {
	f.t.Helper()
	var all []*pb.Fact
	for _, r := range f.read(schemas.TopicFacts) {
		m := new(pb.Fact)
		f.decode(r.Value, m)
		all = append(all, m)
	}
	return all
}

func (f *fleet) decode(value []byte, m proto.Message) {
	f.t.Helper()
	if err := proto.Unmarshal(value, m); err != nil {
		f.t.Fatal(err)
	}
}
