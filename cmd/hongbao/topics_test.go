package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/embedded"
	"hongbao/schemas"
)

// topics runs `topics ARGS --json` against a broker.
func topics(t *testing.T, broker string, args ...string) (int, topicsAnswer, string) {
	t.Helper()
	code, out, errOut := start(t, []string{"HONGBAO_BROKERS=" + broker}, append([]string{"topics", "--json"}, args...)...)
	var answer topicsAnswer
	if out != "" {
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			t.Fatalf("%v: %q is no answer: %v", args, out, err)
		}
	}
	return code, answer, errOut
}

func TestTopicsCreateAndCheck(t *testing.T) {
	t.Parallel()
	cluster, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	broker := cluster.Brokers()[0]

	code, answer, _ := topics(t, broker, "check")
	if code != exitFailed || answer.OK || len(answer.Findings) != int(schemas.Topics) {
		t.Errorf("check of nothing: exit %d, %+v; want a finding per topic", code, answer)
	}
	code, answer, errOut := topics(t, broker, "create")
	if code != exitDone || !answer.OK || len(answer.Created) != int(schemas.Topics) {
		t.Fatalf("create: exit %d, %+v, %s", code, answer, errOut)
	}
	code, answer, _ = topics(t, broker, "create")
	if code != exitDone || !answer.OK || len(answer.Created) != 0 {
		t.Errorf("create again: exit %d, %+v; want nothing to do", code, answer)
	}
	code, answer, _ = topics(t, broker, "check", "--topic-partitions", "8")
	if code != exitFailed || len(answer.Findings) == 0 || answer.Findings[0].Setting != "partitions" {
		t.Errorf("check with another partition count: exit %d, %+v", code, answer)
	}
	code, answer, _ = topics(t, broker, "create", "--prefix", "other.")
	if code != exitDone || len(answer.Created) != int(schemas.Topics) || !strings.HasPrefix(answer.Created[0], "other.") {
		t.Errorf("create under a prefix: exit %d, %+v", code, answer)
	}

	spoil(t, broker, "invite.events", "retention.ms", "1000")
	code, answer, _ = topics(t, broker, "check")
	if code != exitFailed || len(answer.Findings) != 1 || answer.Findings[0].Topic != "invite.events" ||
		answer.Findings[0].Found != "1000" || answer.Findings[0].Wanted == "" {
		t.Errorf("check of a spoiled setting: exit %d, %+v", code, answer)
	}
	code, out, _ := start(t, nil, "topics", "check", "--brokers", broker)
	if code != exitFailed || !strings.HasPrefix(out, "topic invite.events: retention.ms is 1000, wanted at least ") {
		t.Errorf("the same as text: exit %d, %q", code, out)
	}
}

func spoil(t *testing.T, broker, topic, setting, value string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: setting, Value: &value}}, topic)
	if err != nil {
		t.Fatal(err)
	}
}

func TestTopicsRefusals(t *testing.T) {
	t.Parallel()
	code, _, errOut := topics(t, "127.0.0.1:1", "check", "--topic-partitions", "0")
	if code != exitUsage || !strings.Contains(errOut, "--topic-partitions 0 is not in 1..1024") {
		t.Errorf("no partition: exit %d, %q", code, errOut)
	}
	code, _, errOut = start(t, nil, "topics", "nonsense")
	if code != exitUsage {
		t.Errorf("an unknown word: exit %d, %q", code, errOut)
	}
}
