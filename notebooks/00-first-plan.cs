#!/usr/bin/env dotnet
#:project ../src/OT/OT.csproj
#:project ../src/OT.Visuals/OT.Visuals.csproj
#:property PublishAot=false

// %% [markdown]
// # A first transport plan
//
// Fifty flowers of *Iris setosa* on one side, fifty of *Iris virginica* on the other, each described by four lengths in centimetres
// (Fisher, 1936). Which setosa should become which virginica so that the flowers change as little as possible in total?
//
// We answer exactly, then with entropy, and let a certificate say how good each answer is.

// %%
using System.Globalization;
using OT;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Visuals;

string data = "data";
while (!Directory.Exists(data))
    data = Path.Combine("..", data);

Matrix Read(string name) =>
    Matrix.From([
        .. File.ReadLines(Path.Combine(data, name))
            .Skip(1)
            .Select(line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray()),
    ]);

Matrix setosa = Read("iris_setosa.csv");
Matrix virginica = Read("iris_virginica.csv");
Console.WriteLine($"{setosa.Rows} and {virginica.Rows} flowers, {setosa.Columns} lengths each");

// %% [markdown]
// ## The exact plan
//
// A problem is a geometry (what moving costs), two measures (what is there and what is wanted) and, later, a regulariser.
// The cost here is the squared Euclidean distance, and every flower weighs 1/50. The front door picks a solver and says why.

// %%
var problem = new LinearProblem(new PointCloud(setosa, virginica), Measure.Uniform(setosa), Measure.Uniform(virginica));
TransportResult exact = Transport.Solve(problem);
Console.WriteLine(exact.Why);
Console.WriteLine($"{exact.Status}, transport cost {exact.TransportCost:F6} cm²");

// %% [markdown]
// ## Do we have to believe that?
//
// No. The certificate is computed by other code than the solver's: it rounds the plan to exact marginals, which bounds the optimum from above,
// and makes the potentials feasible for the dual, which bounds it from below. What lies between is all that can be wrong.

// %%
Certificate certificate = exact.Certify();
Console.WriteLine($"{certificate.LowerBound:F6} <= optimum <= {certificate.TransportCost:F6}");

// %% [markdown]
// ## The picture
//
// Four dimensions are drawn in the plane in which both clouds together spread most. Each line is a pair of the plan.

// %%
PlanPicture.Save("first-plan-exact.svg", exact);

// %% [markdown]
// ## The same question with entropy
//
// Entropic transport spreads each flower over several partners. Its strength epsilon is given relative to the mean cost, so that it means the
// same for centimetres and for inches. The plan is never stored: its rows are made from two vectors when somebody asks.

// %%
var smooth = problem with
{
    Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(0.01)),
};
TransportResult entropic = new Sinkhorn(new() { Tolerance = 1e-8 }).Solve(smooth);
Console.WriteLine($"{entropic.Status} in {entropic.Iterations} iterations at epsilon {entropic.Epsilon:F4}");
Console.WriteLine(
    $"transport cost {entropic.TransportCost:F6} + entropy {entropic.RegularizerValue:F6} = value {entropic.Value:F6}"
);
PlanPicture.Save("first-plan-entropic.svg", entropic);

// %% [markdown]
// ## What must hold
//
// The exact cost is the least that any plan can reach, both answers are certified, and both plans move all the mass.

// %%
void Require(bool claim, string text)
{
    if (!claim)
        throw new InvalidOperationException($"Not so: {text}.");
    Console.WriteLine($"checked: {text}");
}

Require(exact.Converged && certificate.Gap is <= 1e-9, "the exact plan is optimal to 1e-9");
Require(entropic.Converged && entropic.Certify().Gap is <= 1e-6, "the entropic plan is optimal to 1e-6 for its own problem");
Require(exact.TransportCost <= entropic.TransportCost + 1e-9, "entropy costs transport");
Require(Math.Abs(exact.Plan.ToSparse().Values.ToArray().Sum() - 1) < 1e-12, "the exact plan moves a mass of 1");
