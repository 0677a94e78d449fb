package admission

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// While Redis does not answer it is asked about once a second, never in lockstep and never in a
// hurry; an idle gate looks five times a second.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(nil)
		g, err := New(Config{Memory: m, Prefix: "p", Partitions: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		o := g.Own(0, &state{})
		want(t, admit(t, o, join(1, 10, 1)), "y-")
		m.SetDown(true)
		waiting := make(chan string, 1)
		go func() { waiting <- admitFor(t, o, 2*time.Minute) }()
		<-time.After(time.Minute)
		synctest.Wait()
		if n := g.Stats().Failures; n < 60 || n > 140 {
			t.Errorf("%d attempts in a minute without Redis", n)
		}
		if d := time.Since(g.Status().Since); d < 59*time.Second || d > time.Minute {
			t.Errorf("down since %v", d)
		}
		up := time.Now()
		m.SetDown(false)
		want(t, <-waiting, "n-")
		if d := time.Since(up); d > time.Second {
			t.Errorf("noticed after %v that Redis is back", d)
		}
		m.Failover(nil)
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		if s := g.Status(); s.State != Rebuilding || s.Epoch != 2 {
			t.Errorf("an idle gate has not noticed that Redis is empty: %+v", s)
		}
		cancel()
		<-done
	})
}

func admitFor(t *testing.T, o *Owner, d time.Duration) string {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	as := make([]Answer, 1)
	if err := o.Admit(ctx, []Ask{join(1, 11, 2)}, as); err != nil {
		t.Error(err)
	}
	return as[0].Claim.letter() + as[0].Share.letter()
}
