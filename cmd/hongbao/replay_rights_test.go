package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// TestReplayRights: a principal with READ on hongbao.facts and nothing else can replay, one with READ on invite.events as well can ask what if, and
// whoever lacks a right is refused.
func TestReplayRights(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "pw"), kfake.User("PLAIN", "stranger", "pw"),
		kfake.User("PLAIN", "reader", "pw", mayRead(schemas.TopicFacts)),
		kfake.User("PLAIN", "both", "pw", mayRead(schemas.TopicFacts), mayRead(schemas.TopicEvents)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	log, err := topiclog.Dial(t.Context(), topiclog.Config{
		Brokers: cluster.ListenAddrs(), Options: []kgo.Opt{kgo.SASL(plain.Auth{User: "admin", Pass: "pw"}.AsMechanism())},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Create(t.Context(), topiclog.Options{Partitions: partitions, Dev: true}); err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, log: log, root: t.TempDir()}
	facts := newFactLog(5)
	facts.add(&schemas.Fact{Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: 1, Facts: 1}})
	s.writeTo(schemas.TopicFacts, facts.records...)

	as := func(user string) []string {
		return []string{
			"HONGBAO_BROKERS=" + strings.Join(cluster.ListenAddrs(), ","), "HONGBAO_LOG_LEVEL=error",
			"HONGBAO_KAFKA_SASL=PLAIN", "HONGBAO_KAFKA_SASL_USER=" + user, "HONGBAO_KAFKA_SASL_PASSWORD=pw",
		}
	}
	s.env = as("reader")
	if got := s.replay("--into", filepath.Join(s.root, "into")); got.Facts != 1 || got.Partitions[5].Seq != 1 {
		t.Errorf("the reader replayed %+v", got)
	}
	whatIf := []string{"replay", "events", "--campaign", s.file("campaign.yaml", whatIfBefore)}
	s.refused("AUTHORIZATION_FAILED", whatIf...)
	s.env = as("both")
	var judged whatIfAnswer
	s.must(&judged, whatIf...)
	s.env = as("stranger")
	s.refused("AUTHORIZATION_FAILED", whatIf...)
	s.refused("AUTHORIZATION_FAILED", "replay", "--into", filepath.Join(s.root, "none"))
}

func mayRead(topic schemas.Topic) kfake.ACL {
	return kfake.ACL{
		Resource: kmsg.ACLResourceTypeTopic, Name: topic.String(), Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true,
	}
}
