#include "client/haproxy/haproxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What haproxy.c makes of a look, as text with apostrophes. */
static void check(const char *look, const char *want)
{
	_cleanup_json_ json_t *got = haproxy_read(look);
	_cleanup_str_ struct str text = {0};

	json_canonical(got, &text);
	for (char *p = text.data; p && *p; p++)
		if (*p == '"')
			*p = '\'';
	assert_string_equal(str_cstr(&text), want);
}

static void test_configuration(void **state)
{
	(void)state;
	check("config /a.cfg\n\tglobal\n\tdefaults\n\tfrontend web\n\t    bind :80,:81 ssl crt x # bind :82\n"
	      "\t    use_backend api if { path /a }\n\t    default_backend web\n\tbackend web\n\t\tserver one app:80 "
	      "check\n"
	      "\t    server two \"10.0.0.2:80\"\n\tbackend api\n\t    server-template n 1-3 _x._tcp.local:9 check\n"
	      "\tfrontend stats\n\t    bind *:8404\n\tbackend empty\n\tresolvers d\n\t    server-x y z\n",
	      "{'backends':{'api':{'binds':[':80',':81'],'servers':{'n':['_x._tcp.local:9']}},"
	      "'web':{'binds':[':80',':81'],'servers':{'one':['app:80'],'two':['10.0.0.2:80']}}},"
	      "'binds':[':80',':81','*:8404'],'files':['/a.cfg']}");
}

static void test_listen_and_dynamic(void **state)
{
	(void)state;
	check("config b.cfg\n\tlisten l\n\t    bind 127.0.0.1:1\n\t    server x y:2\n\tfrontend f\n\t    bind :3\n"
	      "\t    use_backend %[req.hdr(host)]\n\tpeers p\n\t    bind :10000\n\t    server here 1.2.3.4:5\n",
	      "{'backends':{'l':{'binds':['127.0.0.1:1',':3'],'servers':{'x':['y:2']}}},'binds':['127.0.0.1:1',':3'],"
	      "'files':['b.cfg']}");
}

/* Columns are found by name. Only servers count: a frontend's sessions are scrapes and checks, too. */
static void test_statistics(void **state)
{
	(void)state;
	check("config c\n\tbackend web\n\t    server one app:80\n\tfrontend f\n\t    bind :80\n\t    default_backend "
	      "web\n"
	      "stats socket /s\n\t# pxname,svname,qcur,scur,stot,type,addr,\n\tf,FRONTEND,,3,90,0,,\n"
	      "\tweb,one,0,2,7,2,172.18.0.3:80,\n\tweb,\"two,2\",0,1,5,2,10.0.0.9:80,\n\tweb,BACKEND,4,3,20,1,,\n"
	      "\tstats,FRONTEND,,1,900,0,,\n",
	      "{'backends':{'web':{'binds':[':80'],'servers':{'one':['app:80','172.18.0.3:80'],'two,2':['10.0.0.9:80']}"
	      "}},"
	      "'binds':[':80'],'files':['c'],'open':7,'sessions':12,'stats':'socket /s'}");
}

static void test_silence(void **state)
{
	(void)state;
	check("unreadable /a.cfg: Permission denied\nsilent page :8404/stats: HTTP 401\n",
	      "{'backends':{},'binds':[],'files':[],'why':'/a.cfg: Permission denied; page :8404/stats: HTTP 401'}");
	check("", "{'backends':{},'binds':[],'files':[]}");
	/* Statistics of another form are none. */
	check("stats socket /s\n\t# pxname,svname\n\tweb,one\n",
	      "{'backends':{},'binds':[],'files':[],'open':0,'sessions':0,'stats':'socket /s'}");
	check("stats socket /s\n\t# pxname,svname,scur,stot,type\n\tweb\n\t\n\tweb,one,,,2\n",
	      "{'backends':{'web':{'servers':{'one':[]}}},'binds':[],'files':[],'open':0,'sessions':0,'stats':'socket "
	      "/s'}");
	check("\tserver before any section\n\tbackend\n\tserver x y\n", "{'backends':{},'binds':[],'files':[]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_listen_and_dynamic),
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_silence),
	};
	json_init();
	return cmocka_run_group_tests_name("client/haproxy", tests, NULL, NULL);
}
