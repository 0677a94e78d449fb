package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/schemas"
)

// offsetsTopic is where Kafka keeps the groups' offsets.
const offsetsTopic = "__consumer_offsets"

// fence ends the transactions of our own prefix that block partition p (X5c), and only those. One that
// produced shows as an open producer on facts[p]; one that so far has offsets alone shows in no topic, so
// what is taken then are those with a partition of the offsets topic and the same start time 300 ms later.
func (x *Processor) fence(ctx context.Context, cl *kgo.Client, p int32) error {
	adm := kadm.NewClient(cl)
	open, err := x.openTransactions(ctx, adm)
	if err != nil || len(open) == 0 {
		return err
	}
	blocking, err := x.producersOnFacts(ctx, adm, p)
	if err != nil {
		return err
	}
	var ids []string
	for id, t := range open {
		if mutant.On(mutant.ForeignFenced) || slices.Contains(blocking, t.ProducerID) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		if ids, err = x.stuckOnOffsets(ctx, adm, open); err != nil {
			return err
		}
	}
	for _, id := range ids {
		x.log.Warn("ending an open transaction that blocks a partition", "rule", "X5c", "partition", p, "transactional_id", id)
		crashpoint.Hit("settle.fence.before")
		if err := endForeign(ctx, cl, id); err != nil {
			return fmt.Errorf("fence %s: %w", id, err)
		}
		crashpoint.Hit("settle.fence.after")
	}
	return nil
}

// openTransactions are the ongoing ones whose id begins with hongbao/<group>/, but for our own lanes':
// each has initialised its id in this process and ends its transactions itself.
func (x *Processor) openTransactions(ctx context.Context, adm *kadm.Client) (kadm.DescribedTransactions, error) {
	listed, err := adm.ListTransactions(ctx, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("list transactions: %w", err)
	}
	var ids []string
	for id := range listed {
		if (mutant.On(mutant.ForeignFenced) || strings.HasPrefix(id, x.txnPrefix())) && !x.ownTxn(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return kadm.DescribedTransactions{}, nil
	}
	all, err := adm.DescribeTransactions(ctx, ids...)
	if err != nil {
		return nil, fmt.Errorf("describe transactions: %w", err)
	}
	for id, t := range all {
		if t.Err != nil || t.State != "Ongoing" { // one that is ending ends by itself
			delete(all, id)
		}
	}
	return all, nil
}

func (x *Processor) ownTxn(id string) bool {
	return slices.ContainsFunc(x.lanes, func(l *lane) bool { return l.txnID == id })
}

func (x *Processor) producersOnFacts(ctx context.Context, adm *kadm.Client, p int32) ([]int64, error) {
	topic := x.routes.names[schemas.TopicFacts]
	set := kadm.TopicsSet{}
	set.Add(topic, p)
	ts, err := adm.DescribeProducers(ctx, set)
	if err != nil {
		return nil, fmt.Errorf("describe producers of %s[%d]: %w", topic, p, err)
	}
	var pids []int64
	ts.EachProducer(func(d kadm.DescribedProducer) {
		if d.CurrentTxnStartOffset >= 0 {
			pids = append(pids, d.ProducerID)
		}
	})
	return pids, nil
}

func (x *Processor) stuckOnOffsets(ctx context.Context, adm *kadm.Client, open kadm.DescribedTransactions) ([]string, error) {
	if err := pause(ctx, 300*time.Millisecond); err != nil {
		return nil, err
	}
	again, err := x.openTransactions(ctx, adm)
	if err != nil {
		return nil, err
	}
	var ids []string
	for id, t := range again {
		before, was := open[id]
		_, offsets := t.Topics[offsetsTopic]
		offsets = offsets || len(t.Topics) == 0 // the embedded broker shows no offsets topic
		if was && offsets && before.StartTimestamp == t.StartTimestamp {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// endForeign aborts another client's open transaction by taking its transactional id once:
// InitProducerID until it is no longer CONCURRENT_TRANSACTIONS, 12-16 ms on a real broker.
func endForeign(ctx context.Context, cl *kgo.Client, id string) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, int32(transactionTimeout/time.Millisecond)
	req.ProducerID, req.ProducerEpoch = -1, -1
	for {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		err = kerr.ErrorForCode(resp.ErrorCode)
		if err == nil {
			return nil
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) && !kerr.IsRetriable(err) {
			return err
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
}
