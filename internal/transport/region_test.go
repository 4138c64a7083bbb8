package transport_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/spec"
)

// regions reads the names of both clouds from the spec.
func regions(tb testing.TB) (alibaba, huawei transport.Regions) {
	tb.Helper()
	read := func(files ...string) []string {
		var names []string
		for _, file := range files {
			b, err := spec.Files.ReadFile(file)
			if err != nil {
				tb.Fatal(err)
			}
			var doc struct {
				Endpoints map[string]any `json:"endpoints"`
			}
			if err := json.Unmarshal(b, &doc); err != nil {
				tb.Fatal(err)
			}
			for name, v := range doc.Endpoints {
				if family, ok := v.(map[string]any); ok {
					for name := range family {
						names = append(names, name)
					}
					continue
				}
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	return transport.Regions{Cloud: "Alibaba Cloud", Names: read("alb.json", "slb.json")},
		transport.Regions{Cloud: "Huawei Cloud", Names: read("elb.json", "apig.json")}
}

func TestCheckRegion(t *testing.T) {
	t.Parallel()
	alibaba, huawei := regions(t)
	if len(alibaba.Names) < 30 || len(huawei.Names) < 30 {
		t.Fatalf("%d and %d regions in the spec", len(alibaba.Names), len(huawei.Names))
	}
	for _, c := range []struct {
		region string
		cloud  transport.Regions
		says   []string // nothing: accepted
	}{
		// Of no table, and good.
		{"us-west-2", alibaba, nil},
		{"cn-suzhou", alibaba, nil},
		{"cn-hangzhou-finance-2", alibaba, nil},
		{"il-central-1", alibaba, nil},
		{"cn-east-99", huawei, nil},
		{"eu-west-102", huawei, nil},
		{"fr-paris-1", huawei, nil},
		{"sa-argentina-1", huawei, nil},
		// Of both.
		{"ap-southeast-1", alibaba, nil},
		{"ap-southeast-1", huawei, nil},
		// Of the other cloud.
		{"cn-north-4", alibaba, []string{"region of Huawei Cloud, not of Alibaba Cloud"}},
		{"cn-hangzhou", huawei, []string{"region of Alibaba Cloud, not of Huawei Cloud"}},
		{"my-kualalumpur-1", alibaba, []string{"region of Huawei Cloud"}},
		{"eu-central-1", huawei, []string{"region of Alibaba Cloud"}},
		// Misspelt.
		{"cn-hangzou", alibaba, []string{"did you mean cn-hangzhou", "set Endpoint"}},
		{"cn-hagnzhou", alibaba, []string{"did you mean cn-hangzhou"}},
		{"cn-bejing", alibaba, []string{"did you mean cn-beijing"}},
		{"cn-shanghaii", alibaba, []string{"did you mean cn-shanghai"}},
		{"ap-southeats-1", alibaba, []string{"did you mean ap-southeast-1, "}},
		{"cn-hangzou", huawei, []string{"cn-hangzhou, ", "would be of Alibaba Cloud"}},
		{"cn-nroth-4", huawei, []string{"did you mean cn-north-4"}},
		{"cn-north4", huawei, []string{"did you mean cn-north-4"}},
		{"cn-sothwest-2", huawei, []string{"did you mean cn-southwest-2"}},
		{"my-kualalumpr-1", huawei, []string{"did you mean my-kualalumpur-1"}},
		// Zones.
		{"cn-hangzhou-h", alibaba, []string{"availability zone", "did you mean cn-hangzhou"}},
		{"ap-southeast-1a", alibaba, []string{"availability zone", "did you mean ap-southeast-1"}},
		{"cn-north-4a", huawei, []string{"availability zone", "did you mean cn-north-4"}},
		// Malformed.
		{"CN-HANGZHOU", alibaba, []string{"not a region ID", "did you mean cn-hangzhou"}},
		{"cn_north_4", huawei, []string{"not a region ID", "did you mean cn-north-4"}},
		{"cn-north-4_web", huawei, []string{"not a region ID", "did you mean cn-north-4"}},
		{" cn-north-4", huawei, []string{"not a region ID", "did you mean cn-north-4"}},
		{"alb.cn-hangzhou.aliyuncs.com", alibaba, []string{"not a region ID", "did you mean cn-hangzhou?"}},
		{"cnhangzhou", alibaba, []string{"not a region ID", "did you mean cn-hangzhou"}},
		{"cn--north-4", huawei, []string{"not a region ID", "did you mean cn-north-4"}},
		{"-cn-north-4", huawei, []string{"not a region ID"}},
		{"cn-north-4-", huawei, []string{"not a region ID"}},
		{"4-north", huawei, []string{"not a region ID"}},
		{"北京", huawei, []string{"not a region ID"}},
		{"cn-north-4\nx", huawei, []string{`"cn-north-4\nx"`}},
		{"cn-" + strings.Repeat("x", 100), huawei, []string{"not a region ID"}},
		{"", huawei, []string{"not a region ID"}},
	} {
		there := alibaba
		if c.cloud.Cloud == alibaba.Cloud {
			there = huawei
		}
		problems := transport.CheckRegion(c.region, c.cloud, there)
		if (len(problems) == 0) != (c.says == nil) || len(problems) > 1 {
			t.Errorf("%q at %s: %v", c.region, c.cloud.Cloud, problems)
			continue
		}
		for _, want := range c.says {
			if p := problems[0]; p.Field != "Region" || !strings.Contains(p.Message, want) {
				t.Errorf("%q at %s: %s %s; want %q", c.region, c.cloud.Cloud, p.Field, p.Message, want)
			}
		}
	}
}

// TestCheckRegionTables has every documented name, with the tables and without:
// a name that a table knows must also pass when it is new.
func TestCheckRegionTables(t *testing.T) {
	t.Parallel()
	alibaba, huawei := regions(t)
	for _, pair := range [][2]transport.Regions{{alibaba, huawei}, {huawei, alibaba}} {
		here, there := pair[0], pair[1]
		for i, name := range here.Names {
			if p := transport.CheckRegion(name, here, there); p != nil {
				t.Errorf("%s at %s: %v", name, here.Cloud, p)
			}
			if p := transport.CheckRegion(name, transport.Regions{}, transport.Regions{}); p != nil {
				t.Errorf("%s without tables: %v", name, p)
			}
			if p := transport.CheckRegion(name, there, here); (p == nil) != slices.Contains(there.Names, name) {
				t.Errorf("%s at %s: %v", name, there.Cloud, p)
			}
			rest := here
			rest.Names = slices.Delete(slices.Clone(here.Names), i, i+1)
			if p := transport.CheckRegion(name, rest, transport.Regions{}); p != nil {
				t.Errorf("%s was refused while it was new: %v", name, p)
			}
		}
	}
}

func FuzzCheckRegion(f *testing.F) {
	alibaba, huawei := regions(f)
	for _, seed := range []string{"", "cn-hangzhou", "cn-north-4", "cn-hangzou", "cn-north-4a", "a--b", "\xff-\xfe", "ⅷ-é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, region string) {
		for _, pair := range [][2]transport.Regions{{alibaba, huawei}, {huawei, alibaba}, {}} {
			problems := transport.CheckRegion(region, pair[0], pair[1])
			if problems == nil && strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				t.Errorf("%q accepted: it becomes part of a host name", region)
			}
			for _, p := range problems {
				if len(p.Message) > 1000 || strings.ContainsAny(p.Message, "\n\r") {
					t.Errorf("%q: message %q", region, p.Message)
				}
			}
		}
	})
}
