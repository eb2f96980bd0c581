namespace OT.Solvers.Entropic;

/// <summary>How the tail of the Sinkhorn iteration is sped up. No choice moves the fixed point.</summary>
public enum Acceleration
{
    /// <summary>Over-relaxation once the rate can be estimated, given up when the error grows.</summary>
    Auto,

    /// <summary>Plain iterations.</summary>
    None,

    /// <summary>Over-relaxation with the locally best ω for the observed rate (Thibault et al. 2021; Lehmann et al. 2021).</summary>
    OverRelaxation,

    /// <summary>Anderson acceleration of the potentials, with plain iterations where the error would grow.</summary>
    Anderson,
}
