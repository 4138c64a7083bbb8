package fakecloud

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// regionNames are what some regions are called, in English and Chinese; the
// others are called by their ID.
var regionNames = map[string][2]string{
	"cn-beijing":     {"China (Beijing)", "华北2（北京）"},
	"cn-hangzhou":    {"China (Hangzhou)", "华东1（杭州）"},
	"cn-shanghai":    {"China (Shanghai)", "华东2（上海）"},
	"cn-shenzhen":    {"China (Shenzhen)", "华南1（深圳）"},
	"cn-hongkong":    {"China (Hong Kong)", "中国香港"},
	"ap-southeast-1": {"Singapore", "新加坡"},
	"eu-central-1":   {"Germany (Frankfurt)", "德国（法兰克福）"},
	"us-east-1":      {"US (Virginia)", "美国（弗吉尼亚）"},
}

// regionName is the name of a region in the language that was asked for.
func regionName(id, language string) string {
	names, ok := regionNames[id]
	switch {
	case !ok:
		return id
	case language == "en-US" || language == "ja":
		return names[0]
	default:
		return names[1]
	}
}

// endpoints are the hosts of a service by region, from the spec. They do not
// change.
var endpoints = map[string]func() map[string]string{
	"alb": sync.OnceValue(func() map[string]string { return readEndpoints("alb") }),
	"slb": sync.OnceValue(func() map[string]string { return readEndpoints("slb") }),
}

func readEndpoints(service string) map[string]string {
	hosts := make(map[string]string)
	if file, err := specfile.Load(service); err == nil && json.Unmarshal(file.Endpoints, &hosts) != nil {
		return nil
	}
	return hosts
}

// regions are those of the spec, and the Cloud's own.
func (c *call) regions(service, language string) []object {
	hosts := endpoints[service]()
	ids := slices.Sorted(maps.Keys(hosts))
	if _, ok := hosts[c.set.region]; !ok {
		ids = append(ids, c.set.region)
	}
	out := make([]object, len(ids))
	for i, id := range ids {
		out[i] = object{
			"RegionId": id, "LocalName": regionName(id, language),
			"RegionEndpoint": either(hosts[id], service+"."+id+".aliyuncs.com"),
		}
	}
	return out
}

// zones are the IDs of a region's zones.
func zones(region string) []string { return []string{region + "-a", region + "-b", region + "-c"} }

func albDescribeRegions(c *call) (object, *fault) {
	return object{"Regions": c.regions("alb", c.in.str("AcceptLanguage"))}, nil
}

func albDescribeZones(c *call) (object, *fault) {
	language, word := c.in.str("AcceptLanguage"), " 可用区"
	if language == "en-US" || language == "ja" {
		word = " Zone "
	}
	var out []object
	for _, id := range zones(c.set.region) {
		letter := strings.ToUpper(id[len(id)-1:])
		out = append(out, object{"ZoneId": id, "LocalName": regionName(c.set.region, language) + word + letter})
	}
	return object{"Zones": out}, nil
}
