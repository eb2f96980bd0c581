namespace OT.Solvers.Entropic;

/// <summary>In which form Sinkhorn iterations run.</summary>
public enum SinkhornDomain
{
    /// <summary>Scaling passes where they are safe and faster, log-domain passes at the end and everywhere else.</summary>
    Auto,

    /// <summary>Log domain throughout: one exponential per entry and iteration, at any epsilon.</summary>
    Log,

    /// <summary>Scalings over a stored Gibbs kernel with absorption, finished in the log domain.</summary>
    Scaling,
}
