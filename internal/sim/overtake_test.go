//go:build synctests

package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// overtake stops a process in the middle, lets others take its partitions and go a little further, and brings it back with its directory whole: what it
// had folded and not published is then another history (X5e). Half of the time the others are killed first, so that they may be behind it.
func (s *sim) overtake(f fault) {
	i := s.named(f.Who)
	if !i.running() || s.allDown {
		return
	}
	release := i.life.link.hold() // it folds what it has and reaches nobody
	s.later(f.For, func() {
		defer release()
		if s.over() || !i.running() {
			return
		}
		i.life.kill(100)
		s.hitMu.Lock()
		s.overrun = append(s.overrun, i.name)
		s.hitMu.Unlock()
		s.remove(i)
		s.later(time.Duration(50+f.N*2)*time.Millisecond, func() { s.comeBack(i, f.N%2 == 0) })
	})
}

func (s *sim) comeBack(i *instance, others bool) {
	if s.allDown || s.over() {
		return // everything is started again anyway
	}
	for _, o := range s.fleet {
		if others && o != i && o.running() && !o.gone {
			o.life.kill(100)
			s.remove(o)
			s.again(o, 3*time.Second)
		}
	}
	if !i.running() {
		i.begin()
	}
}

// otherHistory counts when one that was overtaken finds that its directory does not go on (X5e).
func (s *sim) otherHistory(who string) {
	s.hitMu.Lock()
	at := slices.Index(s.overrun, who)
	if at >= 0 {
		s.overrun = slices.Delete(s.overrun, at, at+1)
	}
	s.hitMu.Unlock()
	if at >= 0 {
		s.hit("overtaken")
	}
}

// over says that the faults are.
func (s *sim) over() bool {
	select {
	case <-s.healing:
		return true
	default:
		return false
	}
}

// remove takes a process that is dead out of the group, as an operator does who does not wait for its session to end.
func (s *sim) remove(i *instance) {
	cl := s.plainClient()
	defer cl.Close()
	_, _ = kadm.NewClient(cl).LeaveGroup(s.ctx, kadm.LeaveGroup(group).InstanceIDs(i.name)) // else its session ends by itself
}

// offsetForged lets somebody commit an offset whose metadata is of another history, which must stop the partition by X5d. When
// it has, the right one is committed again.
func (s *sim) offsetForged(f fault) {
	p := f.N % partitions
	up := s.down()
	defer up()
	c, ok := s.committed(p)
	if m, read := readMetadata(c.Metadata); !ok || !read || m.seq == 0 {
		return
	}
	commits := make([]topiclog.Commit, partitions)
	for q := range commits {
		commits[q].Offset = -1
	}
	words := strings.Fields(c.Metadata)
	words[2] = strings.Repeat("0", len(words[2])) // the hash
	commits[p] = c
	commits[p].Metadata = strings.Join(words, " ")
	if s.tool.Commit(s.ctx, group, schemas.TopicEvents, commits) != nil {
		return // somebody is a member still
	}
	s.expected.has(p, "X5d", "offset forged")
	s.adopt = append(s.adopt, adoption{p, c})
}
