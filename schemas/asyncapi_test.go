package schemas

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	pb "hongbao/schemas/invitepb"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/reflect/protoreflect"
)

type asyncAPI struct {
	Version  string `yaml:"asyncapi"`
	Channels map[string]struct {
		Address  string
		Messages map[string]map[string]string
	}
	Operations map[string]struct {
		Action  string
		Channel map[string]string
	}
	Components struct {
		Messages map[string]struct {
			Bindings map[string]string
			Headers  map[string]string
			Payload  struct{ Schema string }
		}
		MessageBindings map[string]any `yaml:"messageBindings"` //nolint:tagliatelle // AsyncAPI names it so
		Schemas         map[string]any
	}
}

// The AsyncAPI page names every topic and every message, and its references lead somewhere.
func TestAsyncAPIIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var page asyncAPI
	if err := yaml.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	if page.Version != "3.0.0" {
		t.Errorf("asyncapi %s", page.Version)
	}
	addresses := make(map[string]bool)
	for name, channel := range page.Channels {
		addresses[channel.Address] = true
		for message, ref := range channel.Messages {
			if _, ok := page.Components.Messages[message]; !ok || ref["$ref"] != "#/components/messages/"+message {
				t.Errorf("channel %s: message %s leads to %s", name, message, ref["$ref"])
			}
		}
	}
	for topic := range Topics {
		if !addresses[topic.String()] {
			t.Errorf("topic %s has no channel", topic)
		}
	}
	if len(page.Channels) != int(Topics) {
		t.Errorf("%d channels, %d topics", len(page.Channels), Topics)
	}
	checkOperations(t, &page)
	checkMessages(t, &page, string(text))
}

// What a worker reads and writes is what the table of topics says, and it alone.
func checkOperations(t *testing.T, page *asyncAPI) {
	received := 0
	for name, op := range page.Operations {
		channel := strings.TrimPrefix(op.Channel["$ref"], "#/channels/")
		if _, ok := page.Channels[channel]; !ok {
			t.Errorf("operation %s: no channel %s", name, channel)
		}
		if op.Action == "receive" {
			received++
		}
	}
	if received != Inputs {
		t.Errorf("%d topics are received; there are %d inputs", received, Inputs)
	}
}

func checkMessages(t *testing.T, page *asyncAPI, text string) {
	records := 0
	for _, file := range []protoreflect.FileDescriptor{
		pb.File_hongbao_invite_v1_event_proto, pb.File_hongbao_invite_v1_fact_proto, pb.File_hongbao_invite_v1_coupon_proto,
	} {
		for i := range file.Messages().Len() {
			name := string(file.Messages().Get(i).Name())
			if !regexp.MustCompile(`\b` + name + `\b`).MatchString(text) {
				t.Errorf("message %s is not named", name)
			}
			message, ok := page.Components.Messages[name]
			if !ok {
				continue // part of a record, not one itself
			}
			records++
			if want := fmt.Sprintf("proto/%s %s", file.Path(), name); message.Payload.Schema != want {
				t.Errorf("message %s: schema %q, want %q", name, message.Payload.Schema, want)
			}
			if key := strings.TrimPrefix(message.Bindings["$ref"], "#/components/messageBindings/"); page.Components.MessageBindings[key] == nil {
				t.Errorf("message %s: no key %q", name, key)
			}
		}
	}
	if records != len(page.Components.Messages) {
		t.Errorf("%d messages of the page are messages of the proto files, of %d", records, len(page.Components.Messages))
	}
}
