namespace OT.Solvers.Entropic;

/// <summary>How the Sinkhorn iteration is sped up. No choice moves the fixed point.</summary>
public enum Acceleration
{
    /// <summary>Anderson acceleration, and Newton steps where that crawls; plain iterations wherever neither helps.</summary>
    Auto,

    /// <summary>Plain iterations.</summary>
    None,

    /// <summary>Over-relaxation with the locally best ω for the observed rate (Thibault et al. 2021; Lehmann et al. 2021).</summary>
    OverRelaxation,

    /// <summary>Anderson acceleration of g over the last 24 iterates; a step that lowers the dual value is taken back.</summary>
    Anderson,
}
