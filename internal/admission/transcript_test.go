package admission

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestTranscripts runs testdata/admission on every site: one line in is one event, one line out
// what it is told. All events of a command travel in one call.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		datadriven.Walk(t, "../../testdata/admission", func(t *testing.T, path string) {
			at.empty()
			s := &stage{t: t, at: at, gate: newGate(t, at, nil)}
			for p := range testPartitions {
				s.facts = append(s.facts, &state{})
				s.owners = append(s.owners, s.gate.Own(int32(p), s.facts[p]))
			}
			datadriven.RunTest(t, path, s.run)
		})
	})
}

// stage is a fleet with one process, played by a transcript.
type stage struct {
	t      *testing.T
	at     site
	gate   *Gate
	owners []*Owner
	facts  []*state
}

func (s *stage) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "start":
		for _, o := range s.owners {
			rebuild(t, o)
		}
		return fmt.Sprintf("epoch %d, %s", s.gate.Status().Epoch, s.gate.Status().Sentence)
	case "ask":
		return s.ask(d)
	case "release":
		for _, l := range s.lines(d) {
			s.owners[l.partition].Release([]Release{undo(l.Ask)})
		}
		before := s.gate.Stats().Released
		if err := s.gate.Flush(timeout(t)); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d given back", s.gate.Stats().Released-before)
	case "fact": // what the events of these lines became
		for _, l := range s.lines(d) {
			f := s.facts[l.partition]
			if l.Want&WantClaim != 0 {
				f.claims = append(f.claims, Claim{Campaign: l.Campaign, User: l.User, Chain: l.Chain, Offset: l.Offset, Event: l.Event})
			}
			if l.Want&WantShare != 0 {
				f.shares = append(f.shares, Share{User: l.User, EventTimeMS: l.EventTimeMS, Event: l.Event})
			}
		}
		return ""
	case "empty":
		epoch := s.gate.Status().Epoch
		s.at.empty()
		for s.gate.Status().Epoch == epoch {
			await(t, s.gate)
		}
		return s.gate.Status().State.String()
	case "rebuild":
		var out []string
		for p, o := range s.owners {
			r := rebuild(t, o)
			out = append(out, fmt.Sprintf("partition %d: %d claims, %d shares, %d conflicts", p, r.Claims, r.Shares, r.Conflicts))
		}
		return strings.Join(out, "\n")
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

// told is an ask with the partition that makes it.
type told struct {
	Ask
	partition int
}

var errLine = errors.New("a line is: join|share|seed user U chain C event N [at hh:mm] [known N,N]; partition = chain mod 4")

// lines reads events; the offset of an event is its number.
func (s *stage) lines(d *datadriven.TestData) []told {
	var out []told
	for line := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
		var a told
		f := strings.Fields(line)
		a.Want = map[string]Want{"join": WantClaim, "share": WantShare, "seed": WantClaim | WantShare}[f[0]]
		if _, err := fmt.Sscanf(strings.Join(f[1:7], " "), "user %d chain %d event %d", &a.User, &a.Chain, &a.Offset); err != nil || a.Want == 0 {
			s.t.Fatalf("%s: %q: %v", d.Pos, line, errLine)
		}
		a.Campaign, a.Event, a.partition = 1, event(a.Offset), int(a.Chain%testPartitions)
		today := time.Now().Truncate(24 * time.Hour)
		a.EventTimeMS = today.UnixMilli()
		for rest := f[7:]; len(rest) >= 2; rest = rest[2:] {
			switch rest[0] {
			case "at":
				var h, m int64
				if _, err := fmt.Sscanf(rest[1], "%d:%d", &h, &m); err != nil {
					s.t.Fatalf("%s: %q: %v", d.Pos, line, err)
				}
				a.EventTimeMS += h*hourMS + m*60_000
			case "known":
				for n := range strings.SplitSeq(rest[1], ",") {
					var id int64
					if _, err := fmt.Sscan(n, &id); err != nil {
						s.t.Fatalf("%s: %q: %v", d.Pos, line, err)
					}
					a.Known = append(a.Known, event(id))
				}
			}
		}
		out = append(out, a)
	}
	return out
}

func (s *stage) ask(d *datadriven.TestData) string {
	var out []string
	lines := s.lines(d)
	for len(lines) > 0 { // a call is one partition's
		n := 1
		for n < len(lines) && lines[n].partition == lines[0].partition {
			n++
		}
		var asks []Ask
		for _, l := range lines[:n] {
			asks = append(asks, l.Ask)
		}
		for _, a := range answers(s.t, s.owners[lines[0].partition], asks...) {
			out = append(out, a.words())
		}
		lines = lines[n:]
	}
	return strings.Join(out, "\n")
}

func (a Answer) words() string {
	var w []string
	if a.Share != NotAsked {
		w = append(w, "share "+map[Verdict]string{Yes: "counted", No: "refused: the hour is full"}[a.Share])
	}
	switch a.Claim {
	case Yes:
		w = append(w, "claimed")
	case No:
		w = append(w, fmt.Sprintf("refused: chain %d has the user since offset %d of partition %d", a.Holder.Chain, a.Holder.Offset, a.Holder.Partition))
	}
	if a.Share == Yes && a.Claim == No {
		w[0] = "share given back"
	}
	return strings.Join(w, ", ")
}
