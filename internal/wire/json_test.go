package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb/internal/wire"
)

type server struct {
	ID     string `json:"ServerId"`
	Weight int
}

type serverList []server

func (l *serverList) UnmarshalJSON(b []byte) error {
	return wire.DecodeWrapped(b, "Server", (*[]server)(l))
}

// TestDecodeWrapped: all the forms in which the classic SLB writes a list, as a
// member of a reply.
func TestDecodeWrapped(t *testing.T) {
	t.Parallel()
	two := serverList{{"i-1", 1}, {"i-2", 2}}
	for _, c := range []struct {
		name, list string
		want       serverList
	}{
		{"wrapped", `{"Server":[{"ServerId":"i-1","Weight":1},{"ServerId":"i-2","Weight":2}]}`, two},
		{"numbers as text, other case", `{"Server":[{"serverid":"i-1","weight":"1"},{"SERVERID":"i-2","Weight":"2"}]}`, two},
		{"other members around", `{"Count":[{"a":{}}],"Server":[{"ServerId":"i-1","Weight":1},{"ServerId":"i-2","Weight":2}],"More":"x"}`, two},
		{"repeated", `{"Server":[{"ServerId":"i-9"}],"Server":[{"ServerId":"i-1","Weight":1},{"ServerId":"i-2","Weight":2}]}`, two},
		{"bare", `[{"ServerId":"i-1","Weight":1},{"ServerId":"i-2","Weight":2}]`, two},
		{"text", `"[{\"ServerId\":\"i-1\",\"Weight\":1},{\"ServerId\":\"i-2\",\"Weight\":\"2\"}]"`, two},
		{"empty list", `{"Server":[]}`, serverList{}},
		{"empty object", `{}`, nil},
		{"null within", `{"Server":null}`, nil},
		{"another name", `{"server":[{"ServerId":"i-1"}]}`, nil},
		{"null", `null`, nil},
		{"empty text", `""`, nil},
	} {
		reply := struct{ Servers serverList }{serverList{{"old", 9}}}
		if err := wire.DecodeLoose([]byte(`{"Servers":`+c.list+`}`), &reply); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, reply.Servers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for _, list := range []string{`7`, `{"Server":7}`, `{"Server":{"Server":[]}}`, `"x"`, `"{}"`, `{"Server":[{"Weight":"many"}]}`} {
		reply := struct{ Servers serverList }{}
		if err := wire.DecodeLoose([]byte(`{"Servers":`+list+`}`), &reply); err == nil {
			t.Errorf("%s: got %v", list, reply.Servers)
		}
	}
}
