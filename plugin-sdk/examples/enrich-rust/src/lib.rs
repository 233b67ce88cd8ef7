//! Fills in a lead's company: looks up the domain of its mail address at a web
//! service, writes two fields, and counts how often it did.

use relata_plugin_sdk::prelude::*;

const SERVICE: &str = "https://companies.example/v1/companies";

/// The key of the counter in the plugin's state.
const LOOKED_UP: &str = "looked_up";

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// The lead whose company is missing.
    #[schemars(extend("format" = "record/lead"))]
    lead: Reference,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The company's name.
    company: String,
    /// How many people work there, if the service knows.
    company_size: Option<u64>,
    /// How many leads were looked up so far, with this one.
    looked_up: u64,
}

/// What the service answers.
#[derive(Deserialize)]
struct Company {
    name: String,
    employees: Option<u64>,
}

struct FillIn;

impl Action for FillIn {
    const ID: &str = "company";
    const TITLE: &str = "Fill in a lead's company";
    const SUMMARY: &str = "Looks up the domain of the lead's mail address at companies.example, \
        and writes the company's name and size to the lead. A lead that has a company already, \
        or whose company nobody knows, is left alone.";
    const READS: &[&str] = &["lead.email", "lead.company"];
    const WRITES: &[&str] = &["lead.company", "lead.company_size"];
    // One at a time, so that the counter loses nothing.
    const EXCLUSIVE: Option<&str> = Some("enrich/counter");
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let lead = records::get(&input.lead)?;
        if lead.field::<Option<String>>("company")?.is_some() {
            return skip(format!("{} already has a company", lead.reference()));
        }
        let email: String = lead.field("email")?;
        let domain = email.rsplit('@').next().unwrap_or_default();
        let Some(company) = look_up(domain)? else {
            return skip(format!("no company is known at {domain}"));
        };
        records::update(
            lead.reference(),
            json!({ "company": company.name, "company_size": company.employees }),
        )?;
        let stored = state::get::<u64>(LOOKED_UP)?;
        let (before, revision) = stored.map_or((0, 0), |stored| (stored.value, stored.revision));
        let looked_up = before + 1;
        state::put_if(LOOKED_UP, looked_up, revision)?;
        log::info!("a company was filled in"; looked_up = looked_up);
        done(Output { company: company.name, company_size: company.employees, looked_up })
    }
}

/// The company at a domain, if the service knows one.
fn look_up(domain: &str) -> Result<Option<Company>> {
    let token = secrets::placeholder("companies-token")?;
    let response = http::get(SERVICE)
        .query("domain", domain)
        .header("authorization", format!("Bearer {token}"))
        .send()?;
    if response.status() == 404 {
        return Ok(None);
    }
    response.error_for_status()?.json().map(Some)
}

relata_plugin_sdk::plugin!(FillIn);
