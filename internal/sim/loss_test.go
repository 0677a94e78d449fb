//go:build synctests

package sim

import (
	"github.com/twmb/franz-go/pkg/kadm"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// down stops every process, as an operator would before he touches the topics, and returns what starts them again.
func (s *sim) down() (up func()) {
	s.allDown = true
	for _, i := range s.fleet {
		i.stopAndWait()
	}
	return func() {
		s.allDown = false
		for _, i := range s.fleet {
			if !i.gone && !i.running() {
				i.begin()
			}
		}
	}
}

// committed is what the group has committed, of partition p.
func (s *sim) committed(p int) (topiclog.Commit, bool) {
	all, err := s.tool.CommittedOffsets(s.ctx, group, schemas.TopicEvents)
	if err != nil || all[p].Offset < 0 {
		return topiclog.Commit{}, false
	}
	return all[p], true
}

// spoken says that every partition has told the issuer what it knows. A loss that stops a partition for good comes only then: nothing is issued
// before (X10), and the seed would stand still.
func (s *sim) spoken() bool {
	missing, err := s.issuer.inner.Missing(s.ctx)
	return err == nil && len(missing) == 0
}

// offsetsLost lets the broker forget the group's offset of one partition, which must then stop by X5d: facts without an
// offset are no first start. When it has, the offset is adopted again, and the partition goes on.
func (s *sim) offsetsLost(f fault) {
	p := f.N % partitions
	up := s.down()
	defer up()
	c, ok := s.committed(p)
	if !ok || !s.spoken() {
		return
	}
	cl := s.plainClient()
	defer cl.Close()
	set := kadm.TopicsSet{}
	set.Add(schemas.TopicEvents.String(), int32(p))
	resp, err := kadm.NewClient(cl).DeleteOffsets(s.ctx, group, set)
	if err != nil || resp.Error() != nil {
		return // somebody is a member still
	}
	s.expected.has(p, "X5d", "offsets lost")
	s.adopt = append(s.adopt, adoption{p, c})
}

// adoption is an offset that was lost and can be committed again from the last step.
type adoption struct {
	partition int
	commit    topiclog.Commit
}

// factsLost lets the broker lose all facts of one partition, which must then stop by X5d and stay so.
func (s *sim) factsLost(f fault) {
	p := f.N % partitions
	up := s.down()
	defer up()
	c, ok := s.committed(p)
	m, read := readMetadata(c.Metadata)
	if !ok || !read || m.seq == 0 || !s.spoken() || !s.deleteTo(schemas.TopicFacts, p) {
		return
	}
	s.expected.halts(p, "X5d", "facts lost", c)
}

// truncated lets the broker lose events that nobody has read, which must stop the partition by X5f, unless it never read any.
func (s *sim) truncated(f fault) {
	p := f.N % partitions
	up := s.down()
	defer up()
	s.feed.send(20)
	c, ok := s.committed(p)
	ends, err := s.tool.Ends(s.ctx, topiclog.Uncommitted, schemas.TopicEvents)
	if err != nil || ends[schemas.TopicEvents][p] <= c.Offset || !s.spoken() || !s.deleteTo(schemas.TopicEvents, p) {
		return
	}
	if ok && c.Offset > 0 {
		s.expected.halts(p, "X5f", "truncated", c)
	} else {
		s.expected.may(p, "X5f")
	}
}

func (s *sim) deleteTo(t schemas.Topic, p int) bool {
	ends, err := s.tool.Ends(s.ctx, topiclog.Uncommitted, t)
	if err != nil {
		return false
	}
	cl := s.plainClient()
	defer cl.Close()
	var to kadm.Offsets
	to.Add(kadm.Offset{Topic: t.String(), Partition: int32(p), At: ends[t][p]})
	resp, err := kadm.NewClient(cl).DeleteRecords(s.ctx, to)
	return err == nil && resp.Error() == nil
}

// adopted does what `hongbao topics adopt` does, after the stop was seen.
func (s *sim) adopted() bool {
	if len(s.adopt) == 0 {
		return false
	}
	up := s.down()
	commits := make([]topiclog.Commit, partitions)
	for p := range commits {
		commits[p].Offset = -1
	}
	for _, a := range s.adopt {
		commits[a.partition] = a.commit
		s.expected.mended(a.partition)
	}
	s.adopt = nil
	if err := s.tool.Commit(s.ctx, group, schemas.TopicEvents, commits); err != nil {
		s.fail("I8", "a lost offset cannot be adopted: %v", err)
	}
	up()
	return true
}
