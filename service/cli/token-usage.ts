export const TOKEN_HELP = `perch token – who may ask the service for what

Usage: perch token create --name N --role ROLE [--expires 90d] [--rate 60/min]
       perch token list [--json]
       perch token revoke NAME|ID

  create shows the token once, on standard output; only its hash is kept. It counts at once, and a
  revoked one opens nothing from then on: the service need not be restarted, nor even run.

  --name N         what you call it: lower case letters, digits, - and _
  --role ROLE      admin      everything
                   operator   commands the governor and sees everything
                   viewer     sees state, metrics and events; changes nothing
                   kiosk      asks the model for one kiosk
                   api        a program that asks the model
  --kiosk ID       with the role kiosk, and needed there: which one it is for
  --lane LANE      with the role api: api (the default), or batch, which waits for all others
  --expires SPAN   12h, 90d: opens nothing afterwards; without it, until it is revoked
  --rate N/UNIT    5/s, 60/min, 1000/h: more than that is answered 429
  --config F       configuration of the service, for its data folder

Show a token as Authorization: Bearer TOKEN. It never goes into an address, and not onto a command
line, where every user of the box can read it; curl takes it from a file:

  (umask 077; printf 'Authorization: Bearer ' > header.txt
   perch token create --name grafana --role viewer --expires 365d >> header.txt)
  curl -s -H @header.txt http://127.0.0.1:8473/metrics

Use it as the service's user, or with sudo. More in docs/access.md.
`;
