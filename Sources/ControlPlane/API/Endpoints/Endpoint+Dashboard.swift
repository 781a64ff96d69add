import HTTPTypes

extension Endpoint {
    /// The dashboard. Its files are the same for everybody and hold no secret: they need no token, which somebody gives
    /// to the page only when it is there. They are not counted, since a page is two dozen of them.
    static let dashboard: [Endpoint] = [
        Endpoint(
            .get, "/", access: .open, limit: nil,
            operation: """
                operationId: dashboard
                summary: Show the dashboard, a page for people.
                description: It asks this API for all that it shows, with the token that somebody signs in with.
                responses:
                  '200':
                    description: The page.
                    headers: {ETag: {$ref: '#/components/headers/ETag'}}
                    content: {text/html: {schema: {type: string}}}
                  '304': {description: The client has it; If-None-Match names its ETag.}
                """
        ) { api, request in api.dashboardPage(request) },
        Endpoint(
            .get, "/dashboard/{file}", access: .open, limit: nil,
            operation: """
                operationId: dashboardFile
                summary: Show a file that the dashboard is made of.
                responses:
                  '200':
                    description: The file.
                    headers: {ETag: {$ref: '#/components/headers/ETag'}}
                    content:
                      text/javascript: {schema: {type: string}}
                      text/css: {schema: {type: string}}
                      image/svg+xml: {schema: {type: string}}
                  '304': {description: The client has it; If-None-Match names its ETag.}
                """
        ) { api, request in api.dashboardFile(request) },
    ]
}
