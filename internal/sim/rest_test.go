//go:build synctests

package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// left is what tells whose transaction the broker's time-out has ended, and whether somebody else should have.
type left struct {
	calm   time.Time        // since then nothing goes wrong any more; zero: not yet
	holder map[string]*link // who last committed an offset under a transactional id
}

// calm says that the faults are over and that whatever they held up has come.
func (w *watcher) calm() {
	w.s.net.mu.Lock()
	latest := w.s.net.latest
	w.s.net.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left.calm = time.Now(); latest.After(w.left.calm) {
		w.left.calm = latest
	}
}

// Logf is kfake.Logger: the broker says in its log alone that a time-out has ended a transaction. It is I8 for one that was begun when all was calm, by a
// process that still runs: its lane's watchdog comes before the time-out.
func (w *watcher) Logf(_ kfake.LogLevel, format string, args ...any) {
	if !strings.HasPrefix(format, "txn timeout abort: ") {
		return
	}
	id, age := args[0].(string), args[4].(time.Duration)
	w.s.reach("transaction ended by the broker's time-out")
	if strings.HasPrefix(id, "hongbao/") && !w.s.over() {
		w.s.hit("transaction time-out")
	}
	w.mu.Lock()
	holder, calm := w.left.holder[id], w.left.calm
	w.mu.Unlock()
	if calm.IsZero() || time.Now().Add(-age).Before(calm) {
		return
	}
	for _, i := range w.s.fleet {
		if i.running() && i.life.link == holder {
			w.s.fail("I8", "%s of %s was left open until the broker's time-out ended it, after %v", id, i.name, age)
		}
	}
}

// rests says that no transaction is open and that everything is stable, while the processes still run.
func (s *sim) rests() bool {
	var topics []schemas.Topic
	for t := range schemas.Topics {
		topics = append(topics, t)
	}
	stable, err := s.tool.Ends(s.ctx, topiclog.Committed, topics...)
	if err != nil {
		return false
	}
	ends, err := s.tool.Ends(s.ctx, topiclog.Uncommitted, topics...)
	if err != nil {
		return false
	}
	for t := range ends {
		if !slices.Equal(stable[t], ends[t]) {
			return false
		}
	}
	return len(s.ongoing()) == 0
}

// published says that whoever works on a partition has published every step of it. A process that is told to end while a lane begins again leaves a tail.
func (s *sim) published() bool {
	for p, i := range s.owners() {
		if i == nil || s.expected.stops[p] {
			continue
		}
		if at, err := i.life.x.Standing(int32(p)); err != nil || at.Stored.Seq != at.Committed {
			return false
		}
	}
	return true
}

// timeOut gives the broker the time to end what a process left open that stopped while a lane of it was closing its client: a
// transaction of offsets alone, refused, which nobody would have ended before its time-out (8 s).
func (s *sim) timeOut() {
	for range 20 {
		if len(s.ongoing()) == 0 {
			return
		}
		s.pause(500 * time.Millisecond)
	}
}

// checkRest is I8: no transaction is open, nothing is unstable.
func (s *sim) checkRest(l *logs) {
	if open := s.ongoing(); len(open) > 0 {
		s.fail("I8", "transactions are still open: %v", open)
	}
	if l.open > 0 {
		s.fail("I8", "%d records belong to transactions without an end", l.open)
	}
	for t := range schemas.Topics {
		for p := range partitions {
			if l.stable[t][p] != l.ends[t][p] {
				s.fail("I8", "%s[%d] ends at offset %d, its last stable offset is %d", t, p, l.ends[t][p], l.stable[t][p])
			}
		}
	}
}

// stops is I8 for a partition that stops, whatever becomes of the process: a fault makes it.
func (s *sim) stops(l *life, p int32, rule string) {
	if l.dead.Load() || s.expected.excuses.take(l.link, p, rule, time.Now()) {
		return
	}
	s.fail("I8", "partition %d of %s has stopped for nothing, by %s", p, l.of.name, rule)
}
