package processor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/processor"
	"hongbao/schemas"
)

// foreignTxn is another process's transactional client.
func (f *fleet) foreignTxn(id string) *kgo.Client {
	f.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.brokers...), kgo.TransactionalID(id), kgo.TransactionTimeout(55*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(cl.Close)
	if err := cl.BeginTransaction(); err != nil {
		f.t.Fatal(err)
	}
	return cl
}

func (f *fleet) produceOpen(cl *kgo.Client, p int32) {
	f.t.Helper()
	r := &kgo.Record{Topic: f.topics.Name(schemas.TopicFacts), Partition: p, Value: []byte("never committed")}
	if err := cl.ProduceSync(f.t.Context(), r).FirstErr(); err != nil {
		f.t.Fatal(err)
	}
}

// commitOpen puts an offset of p into the open transaction, as a lane does first of all.
func (f *fleet) commitOpen(cl *kgo.Client, id string, p int32) {
	f.t.Helper()
	pid, epoch, err := cl.ProducerID(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, pid, epoch, f.group()
	for {
		resp, err := add.RequestWith(f.t.Context(), cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) && !kerr.IsRetriable(err) {
			f.t.Fatal(err)
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = id, f.group(), pid, epoch
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID = f.topics.Name(schemas.TopicEvents), f.eventsID()
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset = p, 99
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(f.t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) eventsID() [16]byte {
	f.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = new(f.topics.Name(schemas.TopicEvents))
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(f.t.Context(), f.feed().cl)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.Topics[0].TopicID
}

// TestOpenTransactionsAreFenced: a transaction of our prefix that holds up facts[p], and one that so far has an
// offset alone, are ended at a takeover; one of another prefix never is, and holds up its partition alone (X5c).
func TestOpenTransactionsAreFenced(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4))
	const foreign = 3
	ours := "hongbao/" + f.group() + "/"
	facts, offsets, other := f.foreignTxn(ours+"dead/0"), f.foreignTxn(ours+"dead/1"), f.foreignTxn("hongbao/another"+f.group()+"/x/0")
	f.produceOpen(facts, 1)
	f.commitOpen(offsets, ours+"dead/1", 2)
	f.produceOpen(other, foreign)
	began := time.Now()
	x := f.start("a").x
	f.await("all but the partition that another program holds up", func() bool { return len(x.Status().Working) == 3 })
	if took := time.Since(began); took > 40*time.Second { // their timeout is 55 s
		t.Errorf("taken over after %s: the transactions ended by themselves", took)
	}
	for name, cl := range map[string]*kgo.Client{"facts": facts, "offsets": offsets} {
		f.produceFails(name, cl)
	}
	if s := x.Status(); len(s.Working) != 3 || slices.Contains(s.Working, foreign) {
		t.Errorf("working on %v: partition %d is held up by another program", s.Working, foreign)
	}
	if err := other.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Errorf("the other program's transaction was touched: %v", err)
	}
	f.await("the last partition", func() bool { return len(x.Status().Working) == 4 })
	d := f.feed()
	for p := range f.partitions {
		d.put(d.share(1, f.chainIn(p, 0), f.chainIn(p, 0)))
	}
	if r := f.mustVerify(); r.SharesAccepted != 4 {
		t.Errorf("%d shares accepted", r.SharesAccepted)
	}
}

// produceFails asks whether a client was fenced: the broker refuses its next record.
func (f *fleet) produceFails(name string, cl *kgo.Client) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	r := &kgo.Record{Topic: f.topics.Name(schemas.TopicFacts), Partition: 0, Value: []byte("a zombie's")}
	err := cl.ProduceSync(ctx, r).FirstErr()
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		f.t.Errorf("the %s transaction's client may still write: %v", name, err)
	}
}

// storeID is that of a data directory, as transactional ids carry it (X1).
func (f *fleet) storeID(dir string) string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "STORE"))
	words := strings.Fields(string(text))
	if err != nil || len(words) != 4 {
		f.t.Fatalf("file STORE %q: %v", text, err)
	}
	return words[2]
}

// fenceLane takes a lane's transactional id from it once.
func (f *fleet) fenceLane(cl *kgo.Client, id string) {
	f.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, 10_000
	req.ProducerID, req.ProducerEpoch = -1, -1
	for {
		resp, err := req.RequestWith(f.t.Context(), cl)
		if err != nil {
			f.t.Fatal(err)
		}
		switch err := kerr.ErrorForCode(resp.ErrorCode); {
		case err == nil:
			return
		case !errors.Is(err, kerr.ConcurrentTransactions) && !kerr.IsRetriable(err):
			f.t.Fatal(err)
		}
	}
}

func counter(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.GetName() == name {
			return m.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// joinAlone makes a static member of the fleet's group that nobody keeps alive, and returns its member id and generation.
func (f *fleet) joinAlone(cl *kgo.Client, instance string) (id string, generation int32) {
	f.t.Helper()
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.InstanceID, join.ProtocolType = f.group(), &instance, "none"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 6000, 1000 // a broker wants a session of 6 s at least
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "none"
	join.Protocols = append(join.Protocols, protocol)
	joined, err := join.RequestWith(f.t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(joined.ErrorCode)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.InstanceID, sync.MemberID, sync.Generation = f.group(), &instance, joined.MemberID, joined.Generation
	sync.ProtocolType, sync.Protocol = &join.ProtocolType, &protocol.Name
	synced, err := sync.RequestWith(f.t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(synced.ErrorCode)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return joined.MemberID, joined.Generation
}

// TestCommitProvesNoLease: a broker takes a transaction's offsets from a member until the moment in which its session ends, and lets it end all the same. So
// a commit says nothing of the next five seconds, in which the issuer may be asked: a heartbeat alone does (X11).
func TestCommitProvesNoLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(1))
	id := "hongbao/" + f.group() + "/commits/0"
	cl := f.foreignTxn(id)
	member, generation := f.joinAlone(f.feed().cl, "commits")
	cfg := processor.Config{Prefix: f.prefix, Group: f.group(), Instance: "commits"}
	events, taken := f.eventsID(), 0
	f.await("the end of a session in which offsets are committed all the time", func() bool {
		proves, err := processor.CommitProves(t.Context(), cl, id, cfg, events, member, generation)
		if proves {
			t.Error("a commit is taken for a proof of the lease")
		}
		switch {
		case err == nil:
			taken++
		case !errors.Is(err, kerr.UnknownMemberID):
			t.Fatal(err)
		}
		return err != nil || t.Failed()
	})
	if taken == 0 {
		t.Error("no commit was taken")
	}
}

// TestLaneBeginsAgain: a lane whose id is taken begins again at X5 and nothing is lost or doubled (X1, X6); the
// third time in a minute ends the process with the sentence of X1. Apache Kafka answers a commit that meets the fence
// with UNKNOWN_SERVER_ERROR now and then, which begins the lane again and counts as no fence: so more than three are given.
func TestLaneBeginsAgain(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4))
	cfg := f.config("a", f.dir("a"))
	reg := prometheus.NewRegistry()
	cfg.Metrics, cfg.Lanes = reg, 1
	p := f.startWith(cfg)
	f.working(4, p)
	lane := "hongbao/" + f.group() + "/" + f.storeID(f.dir("a")) + "/0"
	stream := demoStreamOver(t, 6, 4)
	d := f.feed()
	restarts := 0.0
	for i, part := range chunks(stream, 3) {
		if i > 0 {
			f.fenceLane(d.cl, lane)
			restarts++
		}
		f.send(part)
		f.await("the lane's next life", func() bool { return counter(t, reg, "hongbao_lane_restarts_total") >= restarts })
		f.working(4, p) // or the next fence would meet a lane that is about to begin anyway
	}
	checkCounts(t, f.mustVerify(), stream.Counts())

	delete(f.procs, "a")
	more, done := int64(0), false
	for !done && more < 4 {
		more++
		f.fenceLane(d.cl, lane)
		restarts++
		d.put(d.share(1, f.chainIn(1, 900+int(more)), f.chainIn(1, 900+int(more))))
		f.await("the end, or the lane's next life", func() bool {
			done = len(p.done) > 0
			return done || counter(t, reg, "hongbao_lane_restarts_total") >= restarts
		})
		if !done {
			f.working(4, p)
		}
	}
	p.stop()
	if err := <-p.done; err == nil || !strings.HasPrefix(err.Error(), "X1: transactional id "+lane+" was fenced three times in a minute") {
		t.Errorf("after %d more fences Run returned %v", more, err)
	}
	f.start("a") // the operator has removed the other process
	if r := f.mustVerify(); r.SharesAccepted != stream.Counts().Shares+more {
		t.Errorf("%d shares, %d sent", r.SharesAccepted, stream.Counts().Shares+more)
	}
}
