package processor_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// gauges is the sum of a metric over all its labels.
func gauges(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, m := range all {
		if m.GetName() == name {
			for _, s := range m.Metric {
				sum += s.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// TestRetentionAtRest: the last thing in an input is the marker of a transaction, committed or aborted. The positions pass it, so that retention may take all
// that was read while nothing comes, for however long, and the next takeover finds nothing lost (X5f).
func TestRetentionAtRest(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(2))
	reg := prometheus.NewRegistry()
	cfg := f.config("a", f.dir("a"))
	cfg.Metrics, cfg.Now = reg, fastClock(20)
	f.working(2, f.startWith(cfg))

	d, producer := f.feed(), f.foreignTxn("upstream"+f.prefix)
	send := func(rs ...*kgo.Record) {
		if err := producer.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		if err := producer.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	chains := [2]int64{f.chainIn(0, 1), f.chainIn(1, 1)}
	for p, chain := range chains {
		send(d.share(1, chain, chain), d.join(1, chain, chain, int64(500+p)))
	}
	end(kgo.TryCommit)
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	send(d.join(1, chains[1], chains[1], 600))
	end(kgo.TryAbort)
	if r := f.mustVerify(); r.JoinsAccepted != 2 {
		t.Errorf("%d joins accepted of 2", r.JoinsAccepted)
	}
	f.await("the positions to reach the ends of the inputs", func() bool { return gauges(t, reg, "hongbao_input_lag_records") == 0 })
	f.end("a")

	var inputs []schemas.Topic
	for in := range schemas.Topic(schemas.Inputs) {
		inputs = append(inputs, in)
	}
	ends, err := f.topics.Ends(t.Context(), topiclog.Uncommitted, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	gone := kadm.Offsets{}
	for _, in := range inputs {
		for p, at := range ends[in] {
			gone.AddOffset(f.topics.Name(in), int32(p), at, -1)
		}
	}
	answers, err := kadm.NewClient(d.cl).DeleteRecords(t.Context(), gone)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	f.working(2, f.start("a"))
	d.put(d.join(1, chains[0], chains[0], 700))
	f.await("the next join to be accepted", func() bool { return f.report().JoinsAccepted == 3 })
}
