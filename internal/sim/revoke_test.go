//go:build synctests

package sim

import (
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// revokes sees which processes are giving partitions up: from the answer of the group that takes some away until they ask to join again. In between they
// end what is open, and there some are killed.
type revokes struct {
	s     *sim
	mu    sync.Mutex
	syncs map[sent]int16     // versions of the SyncGroup requests that wait for their answers
	under map[string]int     // requests that a process has sent since it was told
	goes  map[string][]int32 // what it has to give up
	armed map[string]fault
	joins []string // who was started to join, and has not
}

func newRevokes(s *sim) *revokes {
	return &revokes{s: s, syncs: map[sent]int16{}, under: map[string]int{}, goes: map[string][]int32{}, armed: map[string]fault{}}
}

// killInRevoke lets another process join, and kills this one while it gives partitions up.
func (s *sim) killInRevoke(f fault) {
	s.revokes.mu.Lock()
	s.revokes.armed[f.Who] = f
	s.revokes.mu.Unlock()
	s.join(f)
}

// joining lets a process count that joins, once the group has answered it.
func (r *revokes) joining(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joins = append(r.joins, name)
}

// request kills the process if the time for it has come: at one of its first requests, of those that end what is open, and before it asks to join again.
func (r *revokes) request(l *link, c *conn, key kmsg.Key, frame []byte) (killed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, revoking := r.under[l.name]
	f, armed := r.armed[l.name]
	switch key {
	case kmsg.SyncGroup:
		r.syncs[sent{c, correlation(frame)}] = apiVersion(frame)
		return false
	case kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn:
		if revoking {
			r.under[l.name] = n + 1
			killed = armed && n >= f.N%4
		}
	case kmsg.JoinGroup:
		delete(r.under, l.name)
		killed = revoking && armed
	}
	if killed {
		delete(r.armed, l.name)
		delete(r.under, l.name)
		if r.s.killAt(l, f) {
			r.s.hit("kill in revoke " + key.Name())
		}
	}
	return killed
}

// promise notes the offsets of a partition that is being given up: its tail is published first (X7).
func (r *revokes) promise(l *link, req *kmsg.TxnOffsetCommitRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, revoking := r.under[l.name]; !revoking {
		return
	}
	for _, t := range req.Topics {
		if slices.ContainsFunc(t.Partitions, func(p kmsg.TxnOffsetCommitRequestTopicPartition) bool {
			return slices.Contains(r.goes[l.name], p.Partition)
		}) {
			r.s.reach("rule X7")
		}
	}
}

// response sees what the group gives to a process.
func (r *revokes) response(l *link, c *conn, frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := sent{c, answered(frame)}
	version, ok := r.syncs[at]
	if !ok {
		return
	}
	delete(r.syncs, at)
	answer := kmsg.NewPtrSyncGroupResponse()
	answer.SetVersion(version)
	var given kmsg.ConsumerMemberAssignment
	if read(frame, answer) != nil || answer.ErrorCode != 0 || given.ReadFrom(answer.MemberAssignment) != nil {
		return
	}
	if at := slices.Index(r.joins, l.name); at >= 0 {
		r.joins = slices.Delete(r.joins, at, at+1)
		r.s.hit("join")
	}
	for _, i := range r.s.fleet {
		if !i.running() || i.life.link != l {
			continue
		}
		goes := slices.DeleteFunc(slices.Clone(i.life.x.Status().Working), func(p int32) bool { return gives(&given, p) })
		if len(goes) > 0 {
			r.under[l.name], r.goes[l.name] = 0, goes
		}
	}
}

func gives(a *kmsg.ConsumerMemberAssignment, p int32) bool {
	return slices.ContainsFunc(a.Topics, func(t kmsg.ConsumerMemberAssignmentTopic) bool { return slices.Contains(t.Partitions, p) })
}

// end leaves everybody alone from here on.
func (r *revokes) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.armed)
}
