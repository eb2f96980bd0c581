namespace OT.Solvers.Entropic;

/// <summary>Options of <see cref="Greenkhorn"/>.</summary>
/// <remarks><see cref="SolverOptions.MaxIterations"/> counts sweeps of n + m updates, each about as much arithmetic as one iteration of <see cref="Sinkhorn"/>; 10 000 by default.</remarks>
public sealed record GreenkhornOptions : SolverOptions;
