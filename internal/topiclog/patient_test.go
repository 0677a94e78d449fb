package topiclog

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hongbao/schemas"
)

// T3: an unstable offset is waited for, not taken for a first start.
func TestUnstableOffsetIsWaitedFor(t *testing.T) {
	t.Parallel()
	cluster := kfake.MustCluster(kfake.NumBrokers(1))
	defer cluster.Close()
	c := dial(t, Config{Brokers: cluster.ListenAddrs()})
	topics(t, c)
	asked := 0
	cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		asked++
		if asked > 3 {
			return nil, nil, false
		}
		cluster.KeepControl()
		group := req.(*kmsg.OffsetFetchRequest).Groups[0]
		p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		p.Offset, p.ErrorCode = -1, kerr.UnstableOffsetCommit.Code
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic, rt.TopicID, rt.Partitions = group.Topics[0].Topic, group.Topics[0].TopicID, append(rt.Partitions, p)
		rg := kmsg.NewOffsetFetchResponseGroup()
		rg.Group, rg.Topics = group.Group, append(rg.Topics, rt)
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		resp.Groups = append(resp.Groups, rg)
		return resp, nil, true
	})
	if _, err := c.CommittedOffsets(t.Context(), "g", schemas.TopicEvents); err != nil {
		t.Fatal(err)
	}
	if asked < 4 {
		t.Errorf("asked %d times, want until it was stable", asked)
	}
}

// A broker that has no leader yet for a topic of ours, or lets go of the connection, is asked again; it does not lack the topic.
func TestPassingErrorsAreWaitedFor(t *testing.T) {
	t.Parallel()
	cluster := kfake.MustCluster(kfake.NumBrokers(1))
	defer cluster.Close()
	topics(t, dial(t, Config{Brokers: cluster.ListenAddrs()}))
	c := dial(t, Config{Brokers: cluster.ListenAddrs()}) // one that remembers nothing of them
	asked := 0
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		of := req.(*kmsg.MetadataRequest).Topics
		if len(of) == 0 {
			cluster.KeepControl()
			return nil, nil, false
		}
		if asked++; asked > 2 {
			return nil, nil, false
		}
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		for _, t := range of {
			rt := kmsg.NewMetadataResponseTopic()
			rt.Topic, rt.ErrorCode = t.Topic, kerr.LeaderNotAvailable.Code
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	findings, err := c.Check(t.Context(), Options{Partitions: testPartitions})
	if err != nil || len(findings) != 0 || asked < 3 {
		t.Errorf("asked %d times, found %v, %v; want none when the leaders are there", asked, findings, err)
	}
}

// TestWaitingEndsWithItsCaller: who is told to end while he waits hears that, beside what he waited for: it is no failure.
func TestWaitingEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	err := patiently(ctx, passing, func(context.Context) error {
		if asked++; asked == 3 {
			cancel() // what was asked is answered all the same
		}
		return kerr.LeaderNotAvailable
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, kerr.LeaderNotAvailable) || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}
