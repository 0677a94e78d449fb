package schemas

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// No text of the size that is let in costs a worker more than a moment: what the parser is slow at
// (64 KiB of "[" take it 50 s) is refused before it is asked.
func TestCampaignHostileText(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"[", "{", "- ", "{a: ", "- - - ", "? - ", "[ - ", "- [", "- {a: ", "]["} {
		text := strings.Repeat(piece, MaxCampaignBytes/len(piece))
		if piece == "][" {
			text = strings.Repeat("]", 100) + strings.Repeat("[", 100)
		}
		_, err := ParseCampaign("f.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "line 1 nests more than 16 levels deep") {
			t.Errorf("%q repeated: %v", piece, err)
		}
	}
	if _, err := ParseCampaign("f.yaml", make([]byte, MaxCampaignBytes+1)); err == nil || !strings.Contains(err.Error(), "65537 bytes") {
		t.Error(err)
	}
	if _, err := ParseCampaign("f.yaml", []byte("campaign: \xff")); err == nil || !strings.Contains(err.Error(), "no UTF-8") {
		t.Error(err)
	}
}

// The built-in campaign is domain.md section 5's.
func TestDemoCampaign(t *testing.T) {
	t.Parallel()
	c := DemoCampaign()
	const want = "campaign 1 version 1, 946684800000..4102444800000, max_depth 5, beyond link\n" +
		"coupon five_off: stock 1000000, valid for 2592000000 ms, value 500 CNY\n" +
		"rule welcome: on join to the invitee: one five_off\n" +
		"rule l1: on join to level 1: one five_off\n" +
		"rule ten: on direct joins to the inviter, every 10, repeat true: one five_off\n" +
		"rule buy: on purchase to level 1, of at least 5000 CNY: one five_off\n"
	if got := showCampaign(c); got != want {
		t.Errorf("%s", got)
	}
	if again, err := ParseCampaign("facts", c.Text); err != nil || again.SHA256 != c.SHA256 {
		t.Error("the text does not travel", err)
	}
	c.Text[0]++ // a copy: the next one is whole
	if DemoCampaign().Text[0] == c.Text[0] {
		t.Error("two campaigns share a text")
	}
}

// A text is parsed once, and what does not parse is not remembered.
func TestCampaignTexts(t *testing.T) {
	t.Parallel()
	var texts CampaignTexts
	first, err := texts.Parse("a.yaml", DemoCampaign().Text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := texts.Parse("b.yaml", DemoCampaign().Text); err != nil || again != first {
		t.Errorf("the same text came to %p and %p: %v", first, again, err)
	}
	other := bytes.Replace(DemoCampaign().Text, []byte("version: 1"), []byte("version: 2"), 1)
	if c, err := texts.Parse("c.yaml", other); err != nil || c.Version != 2 {
		t.Errorf("another text came to %+v: %v", c, err)
	}
	for range 2 {
		if _, err := texts.Parse("d.yaml", []byte("campaign: 0")); err == nil || !strings.Contains(err.Error(), "d.yaml") {
			t.Errorf("a wrong text came to %v", err)
		}
	}
	for n := range 3 * knownTexts {
		if _, err := texts.Parse("e.yaml", bytes.Replace(other, []byte("version: 2"), []byte("version: "+strconv.Itoa(n+3)), 1)); err != nil || len(texts.known) > knownTexts {
			t.Fatalf("%d texts are remembered: %v", len(texts.known), err)
		}
	}
}

// beyondSchema are the refusals that JSON Schema has no words for: they compare one value with
// another, or are about how the file is written.
var beyondSchema = []string{
	"want a time after starts", "want the name of one of", "another rule has that id", "an integer 1..5,",
	"an RFC 3339 time from 1970", "a Go duration above 0", "is \"0x1\"", "an anchor, alias or tag", "is no text; quote it",
}

// The JSON Schema and the parser agree on every file of the transcript: editors and CI of whoever
// writes campaigns check with the schema, hongbao with the parser.
func TestCampaignSchemaAgrees(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("campaign.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	good, bad, beyond := 0, 0, 0
	blocks := strings.Split(transcript(t, "campaigns"), "parse\n")[1:]
	for _, block := range append(blocks, string(demoCampaignText)) {
		text, _, _ := strings.Cut(block, "----\n")
		var value any
		if yaml.Unmarshal([]byte(text), &value) != nil {
			continue // no YAML, so nothing that a schema could look at
		}
		_, refused := ParseCampaign("f.yaml", []byte(text))
		found := schema.Validate(jsonValue(t, value))
		switch {
		case refused == nil && found == nil:
			good++
		case refused != nil && found != nil:
			bad++
		case refused != nil && isBeyondSchema(refused):
			beyond++
		default:
			t.Errorf("the parser says %v, the schema %v, of\n%s", refused, found, text)
		}
	}
	t.Logf("%d good, %d bad, %d beyond the schema", good, bad, beyond)
	if good < 4 || bad < 40 || beyond > 15 {
		t.Errorf("%d good, %d bad, %d beyond the schema", good, bad, beyond)
	}
}

func isBeyondSchema(refused error) bool {
	for _, sentence := range beyondSchema {
		if strings.Contains(refused.Error(), sentence) {
			return true
		}
	}
	return false
}

// jsonValue is a YAML value as a JSON tool sees it.
func jsonValue(t *testing.T, value any) any {
	text, err := yaml.MarshalWithOptions(value, yaml.JSON())
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
