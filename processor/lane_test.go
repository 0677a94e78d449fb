package processor

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestLaneWaitsForABroker: while no broker answers, the lives of a lane that cannot begin come half a second apart, not one after the other: a minute
// without brokers is some hundred lines of the log.
func TestLaneWaitsForABroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		var said bytes.Buffer
		x := &Processor{log: slog.New(slog.NewTextHandler(&said, nil)), cfg: Config{
			Brokers: []string{"127.0.0.1:1"},
			Kafka:   []kgo.Opt{kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, away })},
		}}
		x.metrics = newMetrics(prometheus.NewRegistry(), x)
		l := &lane{x: x, txnID: "hongbao/g/s/0", log: x.log, owned: map[int32]bool{}, open: map[int32]*partition{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(said.String(), "lane starts again"); n < 60 || n > 125 {
			t.Errorf("%d lives in a minute without a broker", n)
		}
	})
}

// TestLaneWait: lives that end as soon as they have begun come further and further apart, as those that cannot begin do; after a longer one
// the next begins at once.
func TestLaneWait(t *testing.T) {
	t.Parallel()
	wait := time.Duration(0)
	for i, want := range []int64{20, 40, 80, 160, 320, 500, 500} {
		if wait = laneWait(wait, time.Duration(i)*10*time.Millisecond); wait.Milliseconds() != want {
			t.Errorf("life %d: %s, want %d ms", i, wait, want)
		}
	}
	if wait = laneWait(wait, time.Second); wait != laneWaitMin {
		t.Errorf("after a life of a second: %s", wait)
	}
}
