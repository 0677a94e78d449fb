package processor_test

import (
	"testing"
	"time"

	"hongbao/internal/cascade"
	"hongbao/schemas"
)

const patience = 60 * time.Second

func demoStream(t testing.TB, seed uint64) *cascade.Synthetic {
	t.Helper()
	s, err := cascade.Demo(seed, cascade.Config{
		Keys: schemas.DemoCodeKeys(), CodeEndS: schemas.DemoCampaign().EndsMS / 1000, NowMS: time.Now().UnixMilli(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWholePath: events in, coupons out, and verify finds what the generator counted.
func TestWholePath(t *testing.T) {
	f := newFleet(t)
	f.start("a")
	stream := demoStream(t, 1)
	f.send(stream.Records())
	r := f.verified(patience)
	if !r.OK {
		t.Fatalf("verify: lag %d, open %d, broken %d: %v", r.Lag, r.Open, r.BrokenTotal, r.Broken)
	}
	want := stream.Counts()
	if r.JoinsAccepted != want.Joins || r.SharesAccepted != want.Shares || r.Dead != want.Dead.Total() {
		t.Errorf("joins %d, shares %d, dead %d; the generator made %d, %d, %d",
			r.JoinsAccepted, r.SharesAccepted, r.Dead, want.Joins, want.Shares, want.Dead.Total())
	}
	// A purchase that was reversed in time pays nobody.
	if n := r.Coupons["COMPLETED"] + r.Coupons["FAILED"]; n == 0 || n != want.Coupons {
		t.Errorf("%d coupons ended, %d granted", n, want.Coupons)
	}
}
