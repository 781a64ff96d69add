/// A file of the dashboard, as it is in `Page`, embedded in the program.
public struct DashboardFile: Sendable {
    /// Its name, by which the page asks for it.
    public let name: String
    /// Its media type.
    public let contentType: String
    /// What is in it.
    public let octets: [UInt8]

    private init(_ name: String, _ octets: [UInt8]) {
        self.name = name
        self.octets = octets
        contentType =
            switch name.split(separator: ".").last {
            case "html": "text/html; charset=utf-8"
            case "css": "text/css; charset=utf-8"
            case "js": "text/javascript; charset=utf-8"
            default: "image/svg+xml"
            }
    }

    /// The page itself.
    public static let page = DashboardFile("index.html", PackageResources.index_html)

    /// What the page is made of.
    public static let parts = [
        DashboardFile("api.js", PackageResources.api_js),
        DashboardFile("dialog.js", PackageResources.dialog_js),
        DashboardFile("dom.js", PackageResources.dom_js),
        DashboardFile("events.js", PackageResources.events_js),
        DashboardFile("explain.js", PackageResources.explain_js),
        DashboardFile("figures.js", PackageResources.figures_js),
        DashboardFile("format.js", PackageResources.format_js),
        DashboardFile("icon.svg", PackageResources.icon_svg),
        DashboardFile("instance.js", PackageResources.instance_js),
        DashboardFile("live.js", PackageResources.live_js),
        DashboardFile("main.js", PackageResources.main_js),
        DashboardFile("names.js", PackageResources.names_js),
        DashboardFile("overview.js", PackageResources.overview_js),
        DashboardFile("parts.css", PackageResources.parts_css),
        DashboardFile("parts.js", PackageResources.parts_js),
        DashboardFile("plot.js", PackageResources.plot_js),
        DashboardFile("service.js", PackageResources.service_js),
        DashboardFile("services.js", PackageResources.services_js),
        DashboardFile("signin.js", PackageResources.signin_js),
        DashboardFile("style.css", PackageResources.style_css),
        DashboardFile("theme.js", PackageResources.theme_js),
        DashboardFile("traffic.js", PackageResources.traffic_js),
    ]
}
