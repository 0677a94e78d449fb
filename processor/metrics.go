package processor

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// metrics are the counters of one Processor. Verdicts are counted by arrays of ready-made counters: no
// look-up by label on the hot path.
type metrics struct {
	steps, transactions, laneRestarts prometheus.Counter
	transactionSeconds                prometheus.Histogram
	stopped                           *prometheus.GaugeVec
	restoring                         *prometheus.GaugeVec
	dead                              *prometheus.CounterVec
	coupons, vouchers                 *prometheus.CounterVec

	accepted, duplicate prometheus.Counter
	refused             [reasons]prometheus.Counter
}

const reasons = 128

func newMetrics(reg prometheus.Registerer, x *Processor) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		reg.MustRegister(g)
		return g
	}
	m := &metrics{
		steps:        counter("hongbao_steps_total", "Steps that workers committed to Pebble."),
		transactions: counter("hongbao_transactions_total", "Kafka transactions that lanes committed."),
		laneRestarts: counter("hongbao_lane_restarts_total", "Lane clients that were closed and began again at X5."),
		transactionSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hongbao_transaction_seconds", Help: "Time from a transaction's first request to its commit.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5},
		}),
		stopped:   gauge("hongbao_partition_stopped", "1 for a partition that stopped, with rule, what was expected and found, and what to do.", "partition", "rule", "expected", "found", "do"),
		restoring: gauge("hongbao_restore_facts", "Facts of a running or the last restore.", "partition", "of"),
		dead:      vec("hongbao_dead_letters_total", "Dead letters written, by topic and reason.", "topic", "reason"),
		coupons:   vec("hongbao_coupon_transitions_total", "Transitions of coupons, by the state they lead to.", "to"),
		vouchers:  vec("hongbao_voucher_transitions_total", "Transitions of vouchers, by event.", "event"),
	}
	reg.MustRegister(m.transactionSeconds)
	verdicts := vec("hongbao_verdicts_total", "Verdicts on events, by kind and reason.", "verdict", "reason")
	m.accepted = verdicts.WithLabelValues("ACCEPTED", "")
	m.duplicate = verdicts.WithLabelValues("DUPLICATE", "")
	for n, name := range pb.Reason_name {
		if n >= 0 && n < reasons {
			m.refused[n] = verdicts.WithLabelValues("REFUSED", trimReason(name))
		}
	}
	reg.MustRegister(&lagCollector{x: x})
	return m
}

func (m *metrics) verdict(kind schemas.FactKind, r schemas.Reason) {
	switch kind {
	case schemas.FactAccepted:
		m.accepted.Inc()
	case schemas.FactDuplicate:
		m.duplicate.Inc()
	default:
		m.refused[r%reasons].Inc()
	}
}

func (m *metrics) deadLetter(t schemas.Topic, r schemas.Reason) {
	m.dead.WithLabelValues(t.String(), trimReason(r.String())).Inc()
}

func (m *metrics) coupon(to pb.CouponState) { m.coupons.WithLabelValues(to.String()).Inc() }

func (m *metrics) voucher(ev pb.VoucherEvent) { m.vouchers.WithLabelValues(ev.String()).Inc() }

// stop shows a stopped partition, sentences included: whoever is woken reads them in the alert. There is one series a partition at most.
func (m *metrics) stop(s *Stop) {
	m.stopped.WithLabelValues(label(s.Partition), s.Rule, validUTF8(s.Expected), validUTF8(s.Found), validUTF8(s.Remedy)).Set(1)
}

// goesOn takes a stop back.
func (m *metrics) goesOn(p int32) {
	m.stopped.DeletePartialMatch(prometheus.Labels{"partition": label(p)})
}

func (m *metrics) restored(p int32, done, of int64) {
	m.restoring.WithLabelValues(label(p), "done").Set(float64(done))
	m.restoring.WithLabelValues(label(p), "all").Set(float64(of))
}

func trimReason(s string) string { return s[len("REASON_"):] }

func label(p int32) string { return strconv.Itoa(int(p)) }

// lagCollector tells at scrape time what waits: nothing of it is counted on the hot path.
type lagCollector struct{ x *Processor }

var (
	unpublishedDesc = prometheus.NewDesc("hongbao_unpublished_events", "Events read and not yet in a committed transaction, by lane.", []string{"lane"}, nil)
	lagDesc         = prometheus.NewDesc("hongbao_input_lag_records", "Offsets of an input between the committed position and its end, by topic and partition.", []string{"topic", "partition"}, nil)
	claimsDesc      = prometheus.NewDesc("hongbao_redis_answers_total", "Answers of Redis to claims and shares.", []string{"ask", "answer"}, nil)
	conflictsDesc   = prometheus.NewDesc("hongbao_claim_conflicts_total", "Users whom facts put into two chains, found at a rebuild of Redis.", nil, nil)
	issuerDesc      = prometheus.NewDesc("hongbao_issuer_calls_total", "Calls to the issuer, by result.", []string{"result"}, nil)
	issuerQueueDesc = prometheus.NewDesc("hongbao_issuer_queue", "Coupons that wait to be asked for.", nil, nil)
	clockDesc       = prometheus.NewDesc("hongbao_clock_ahead_seconds", "How far the clock of a partition's facts is ahead of this machine's, by partition.", []string{"partition"}, nil)
	committedDesc   = prometheus.NewDesc("hongbao_committed_seq", "Seq of the last committed fact, by partition.", []string{"partition"}, nil)
)

func (c *lagCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- unpublishedDesc
	ch <- committedDesc
	ch <- clockDesc
	ch <- lagDesc
	ch <- claimsDesc
	ch <- conflictsDesc
	ch <- issuerDesc
	ch <- issuerQueueDesc
}

func (c *lagCollector) Collect(ch chan<- prometheus.Metric) {
	if !c.x.opened.Load() {
		return
	}
	for _, l := range c.x.lanes {
		l.mu.Lock()
		f := l.life
		l.mu.Unlock()
		if f != nil {
			ch <- prometheus.MustNewConstMetric(unpublishedDesc, prometheus.GaugeValue, float64(f.unpublished()), strconv.Itoa(l.id))
		}
	}
	c.x.mu.Lock()
	live := maps.Clone(c.x.live)
	c.x.mu.Unlock()
	for p, part := range live {
		ch <- prometheus.MustNewConstMetric(committedDesc, prometheus.GaugeValue, float64(part.committed.Load()), label(p))
		part.mu.Lock()
		ahead := part.clockMS - c.x.now().UnixMilli()
		part.mu.Unlock()
		ch <- prometheus.MustNewConstMetric(clockDesc, prometheus.GaugeValue, float64(max(0, ahead))/1000, label(p))
	}
	c.lag(ch, live)
	c.outside(ch)
}

// outside tells what Redis and the issuer answered.
func (c *lagCollector) outside(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	g := c.x.cfg.Gate.Stats()
	count(claimsDesc, g.ClaimsYes, "claim", "yes")
	count(claimsDesc, g.ClaimsNo, "claim", "no")
	count(claimsDesc, g.SharesYes, "share", "yes")
	count(claimsDesc, g.SharesNo, "share", "no")
	count(conflictsDesc, g.Conflicts)
	p := c.x.pool.Stats()
	count(issuerDesc, p.Calls-p.Failed, "answered")
	count(issuerDesc, p.Failed, "failed")
	ch <- prometheus.MustNewConstMetric(issuerQueueDesc, prometheus.GaugeValue, float64(p.Queued))
}

// lagPatience bounds what a scrape waits for the broker.
const lagPatience = 2 * time.Second

// lag asks the broker where the inputs end; without an answer there is no lag to tell.
func (c *lagCollector) lag(ch chan<- prometheus.Metric, live map[int32]*partition) {
	if len(live) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lagPatience)
	defer cancel()
	inputs := make([]schemas.Topic, schemas.Inputs)
	for t := range inputs {
		inputs[t] = schemas.Topic(t)
	}
	ends, err := c.x.topics.Ends(ctx, topiclog.Committed, inputs...)
	if err != nil {
		return
	}
	for p, part := range live {
		part.mu.Lock()
		at := part.positions
		part.mu.Unlock()
		for _, t := range inputs {
			ch <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(max(0, ends[t][p]-at[t])), t.String(), label(p))
		}
	}
}
