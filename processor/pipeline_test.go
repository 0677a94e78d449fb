package processor_test

import (
	"testing"
	"time"

	"hongbao/internal/cascade"
	"hongbao/schemas"
)

func demoStream(t testing.TB, seed uint64) *cascade.Synthetic {
	return demoStreamOver(t, seed, testPartitions)
}

// demoStreamOver is the demo's stream for topics of another size.
func demoStreamOver(t testing.TB, seed uint64, partitions int32) *cascade.Synthetic {
	t.Helper()
	s, err := cascade.Demo(seed, cascade.Config{
		Partitions: partitions,
		Keys:       schemas.DemoCodeKeys(), CodeEndS: schemas.DemoCampaign().EndsMS / 1000, NowMS: time.Now().UnixMilli(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWholePath: events in, coupons out, and verify finds what the generator counted.
func TestWholePath(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.start("a")
	stream := demoStream(t, 1)
	f.send(stream.Records())
	r := f.mustVerify()
	checkCounts(t, r, stream.Counts())
	if stream.Counts().Coupons == 0 {
		t.Error("the stream grants no coupon")
	}
}
