//go:build synctests

package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"hongbao/fsm"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// reach notes that something was covered.
func (s *sim) reach(what string) {
	s.hitMu.Lock()
	defer s.hitMu.Unlock()
	s.result.Reached[what]++
}

// cover notes what the facts and the faults show, and which rules had work to do.
func (s *sim) cover(l *logs) {
	for p := range partitions {
		open := map[string]bool{}
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			s.reach("fact " + strings.TrimPrefix(fmt.Sprintf("%T", f.Body), "*invitepb."))
			if r := f.GetRefused(); r != nil {
				s.reach("refused " + r.Reason.String())
			}
			if m := f.GetCouponMoved(); m != nil {
				s.coverX9(open, m)
			}
		}
	}
	s.coverX3(l)
	s.coverX4(l)
	s.coverX10()
	s.coverX11()
	s.coverLog()
}

// coverX3 notes a dead letter that came by the one door: its writer is a transaction that committed an offset as well.
func (s *sim) coverX3(l *logs) {
	lanes := map[producer]bool{}
	for _, c := range s.watch.commits {
		lanes[producer{c.producer, c.epoch}] = true
	}
	for _, t := range []schemas.Topic{schemas.TopicInviteDead, schemas.TopicCouponDead} {
		for p := range partitions {
			for _, r := range l.committed[t][p] {
				if lanes[writer(r)] {
					s.reach("rule X3")
				}
			}
		}
	}
}

// coverX4 notes a transaction that carried several steps of a partition with one offset. Each transaction ends where its writer promised an offset.
func (s *sim) coverX4(l *logs) {
	type end struct {
		partition int32
		by        producer
		seq       int64
	}
	ends := map[end]bool{}
	for _, c := range s.watch.commits {
		if m, ok := readMetadata(c.metadata); ok {
			ends[end{c.partition, producer{c.producer, c.epoch}, m.seq}] = true
		}
	}
	for p := range int32(partitions) {
		steps := 0
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			if f.GetStepEnded() == nil {
				continue
			}
			steps++
			if ends[end{p, writer(f.rec), f.Seq}] {
				if steps > 1 {
					s.reach("rule X4")
				}
				steps = 0
			}
		}
	}
}

// coverX9 notes a coupon that took the last place of open_max: commands wait behind it.
func (s *sim) coverX9(open map[string]bool, m *pb.CouponMoved) {
	switch id := string(m.CouponId); m.To {
	case pb.CouponState_COUPON_STATE_PENDING, pb.CouponState_COUPON_STATE_VALIDATING, pb.CouponState_COUPON_STATE_ISSUING:
		if open[id] = true; m.Transition == 1 && len(open) == s.plan.OpenMax {
			s.reach("rule X9")
		}
	default:
		delete(open, id)
	}
}

// coverX10 notes what was given back to Redis behind a refusal, and what was written again into one that had forgotten it.
func (s *sim) coverX10() {
	for _, i := range s.fleet {
		for _, l := range i.past {
			if stats := l.gate.Stats(); stats.Released > 0 || stats.RebuiltClaims > 0 {
				s.reach("rule X10")
			}
		}
	}
}

// coverX11 notes a coupon that a second process asked for under the key of the first.
func (s *sim) coverX11() {
	first := map[fsm.Key]string{}
	for _, a := range s.issuer.asked {
		if who, ok := first[a.key]; !ok {
			first[a.key] = a.who
		} else if who != a.who {
			s.reach("rule X11")
		}
	}
}

// coverLog notes the rules that say themselves that they are at work.
func (s *sim) coverLog() {
	shows := []struct{ rule, in string }{
		{"X1", "log X6: fenced"},
		{"X2", "log X2"},
		{"X5b", "log X5b"},
		{"X5c", "log X5c"},
		{"X5d", "stop X5d"},
		{"X5e", "log X5e"},
		{"X5f", "stop X5f"},
		{"X6", "log X6: partition stopped"},
		{"X6", "log X6: lane: commit of a transaction"},
		{"X6", "log X6: lane: records of a transaction"},
		{"X7", "log X7"},
		{"X8", "log: partition restored"},
	}
	seen := map[string]bool{}
	for k := range s.result.Reached {
		seen[k] = true
	}
	for k := range seen {
		for _, x := range shows {
			if strings.HasPrefix(k, x.in) {
				s.reach("rule " + x.rule)
			}
		}
	}
}

// logOf is what a process logs: counted for what rules it shows, and shown where asked.
func (s *sim) logOf(l *life) *slog.Logger {
	return slog.New(&counting{s: s, l: l, next: s.log.Handler()}).With("who", l.of.name)
}

// counting is a slog.Handler.
type counting struct {
	s    *sim
	l    *life
	next slog.Handler
}

// Enabled is part of slog.Handler.
func (c *counting) Enabled(context.Context, slog.Level) bool { return true }

// Handle is part of slog.Handler. Of what is said for debugging only the rules count.
func (c *counting) Handle(ctx context.Context, r slog.Record) error {
	rule, says, none := "", r.Message, false // none: it had nothing to do
	partition := int64(0)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "rule":
			rule = " " + a.Value.String()
		case "partition":
			partition = a.Value.Int64()
		case "facts":
			none = a.Value.Kind() == slog.KindInt64 && a.Value.Int64() == 0
		case "error":
			if err, ok := a.Value.Any().(error); ok {
				says = laneEnded(err, says)
			}
		}
		return true
	})
	if !none && (rule != "" || r.Level > slog.LevelDebug) {
		c.s.reach("log" + rule + ": " + says)
	}
	if rule == " X5e" {
		c.s.otherHistory(c.l.of.name)
	}
	if r.Message == "partition stopped" {
		c.s.stops(c.l, int32(partition), strings.TrimSpace(rule))
	}
	if c.next.Enabled(ctx, r.Level) {
		return c.next.Handle(ctx, r)
	}
	return nil
}

// laneEnded says why a lane started again where that shows a rule: its id was taken (X1), or it does not know what became of a transaction, or knows
// that nothing did (X6).
func laneEnded(err error, says string) string {
	text := err.Error()
	during, _, ok := strings.Cut(text, " of a transaction: ")
	switch {
	case !strings.HasPrefix(text, "lane: "):
		return says
	case errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch):
		return "fenced"
	case ok:
		return during + " of a transaction"
	}
	return says
}

// WithAttrs is part of slog.Handler.
func (c *counting) WithAttrs(as []slog.Attr) slog.Handler {
	return &counting{s: c.s, l: c.l, next: c.next.WithAttrs(as)}
}

// WithGroup is part of slog.Handler.
func (c *counting) WithGroup(string) slog.Handler { return c }
