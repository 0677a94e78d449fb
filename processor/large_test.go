package processor_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestLargeBatch: a batch of some KiB that would unpack to more than a lane may hold stops its partition loudly
// and alone (X9); the neighbour makes dead letters of its garbage.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	f.largeBatch(0, 12)
	f.largeBatch(1, 32)
	x := f.start("a").x
	f.await("the dead letters, and a stop", func() bool {
		return len(f.letters(schemas.TopicInviteDead)) >= 12 && len(x.Status().Stopped) == 1
	})
	s := x.Status()
	stop := s.Stopped[0]
	if stop.Partition != 1 || stop.Rule != "X9" || !strings.Contains(stop.Found, "a larger one at offsets") {
		t.Errorf("got %v", stop)
	}
	if len(s.Working) != 1 || s.Working[0] != 0 {
		t.Errorf("%v work", s.Working)
	}
}

// largeBatch sends n records of 1 MiB of garbage as a batch of some KiB.
func (f *fleet) largeBatch(p int32, n int) {
	f.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(),
		kgo.ProducerBatchMaxBytes(64<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		f.t.Fatal(err)
	}
	defer cl.Close()
	for range n {
		cl.Produce(f.t.Context(), &kgo.Record{
			Topic: f.topics.Name(schemas.TopicEvents), Partition: p, Key: []byte("7"), Value: bytes.Repeat([]byte{0xff}, 1<<20),
		}, func(_ *kgo.Record, err error) {
			if err != nil {
				f.t.Error(err)
			}
		})
	}
	if err := cl.Flush(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// TestStoppedPartitionTellsRedis: a partition has stopped over its input when Redis forgets everything. What it knows is
// written again all the same: its users stay claimed, and in the other partitions people are admitted and coupons issued (X10).
func TestStoppedPartitionTellsRedis(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2), ownRedis)
	x := f.start("a")
	d := f.feed()
	here, there := f.chainIn(0, 0), f.chainIn(1, 0)
	d.put(d.share(1, here, here), d.share(1, there, there), d.join(1, there, there, 500))
	before := f.mustVerify().Coupons["COMPLETED"]
	f.largeBatch(1, 32)
	f.await("the stop", func() bool { return len(x.x.Status().Stopped) == 1 })
	client := redis.NewClient(&redis.Options{Addr: f.redis})
	t.Cleanup(func() { _ = client.Close() })
	seen := x.gate.Stats().Epochs
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	f.await("a new epoch", func() bool { return x.gate.Stats().Epochs > seen })
	d.put(d.join(1, here, here, 500), d.join(1, here, here, 501))
	f.await("two verdicts, and the coupons of one", func() bool { // by the facts alone: verify would unpack the batch each time
		refused, completed := false, int64(0)
		for _, m := range f.facts() {
			refused = refused || m.GetRefused().GetReason() == pb.Reason_REASON_CLAIMED_ELSEWHERE
			if m.GetCouponMoved().GetTo() == pb.CouponState_COUPON_STATE_COMPLETED {
				completed++
			}
		}
		return refused && completed > before
	})
	if s := x.x.Status(); len(s.Stopped) != 1 || len(s.Working) != 1 {
		t.Errorf("%d stopped, %v work", len(s.Stopped), s.Working)
	}
}
